"""Whether the outcome of a case is one the corpus allows: the answer, and what reached the upstream."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from tests.security import attack_signing as signing
from tests.security.attack_recipe import Recipe, expand
from tests.security.recording_upstream import Recorded

_CODE = re.compile(rb"<Code>([^<]+)</Code>")
_SIGNATURE_PARAMETERS = re.compile(rb"q-.*|sign|x-cos-security-token|X-Amz-.*")
_NOT_FORWARDED = (b"x-cos-security-token", b"x-cos-sdk-")


@dataclass(frozen=True, slots=True)
class Observed:
    """What a client saw and what the upstream got. `status` None: closed, or nothing within the limit."""

    status: int | None
    raw: bytes
    pending: bool
    upstream: Sequence[Recorded]

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def code(self) -> str | None:
        found = _CODE.search(self.body)
        return found[1].decode() if found else None


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges outcomes with the names and keys of a fixture."""

    names: Mapping[str, str]
    fixture: Mapping[str, Any]

    def complaints(self, expected: Mapping[str, Any], recipe: Recipe, seen: Observed) -> list[str]:
        """What is wrong; empty when the outcome is allowed."""
        found = self._always(recipe, seen)
        never = expected.get("never_path")
        if never is not None:
            path = expand(never, self.names).encode("latin-1")
            found += [f"{path!r} reached the upstream" for request in seen.upstream if path in request.target]
        if "any" in expected:
            tried = [self.complaints(one, recipe, seen) for one in expected["any"]]
            return found + (min(tried, key=len) if all(tried) else [])
        return found + self._one(expected, recipe, seen)

    def _one(self, expected: Mapping[str, Any], recipe: Recipe, seen: Observed) -> list[str]:
        found = []
        if seen.status is None:
            allowed = expected.get("or_pending") if seen.pending else expected.get("or_close")
            if not allowed:
                found.append("no answer in time" if seen.pending else "closed without an answer")
        else:
            if seen.status not in expected["status"]:
                found.append(f"status {seen.status}, expected {expected['status']}")
            head = recipe.method == "HEAD"
            if "code" in expected and seen.status >= 400 and not head and seen.code not in expected["code"]:
                found.append(f"code {seen.code}, expected {expected['code']}")
        found += [
            f"the body holds {text!r}"
            for text in expected.get("body_must_not_contain", ())
            if expand(text, self.names).encode("latin-1") in seen.body
        ]
        found += [
            f"the response has {text!r}"
            for text in expected.get("response_must_not_have", ())
            if re.search(rb"(?im)^" + re.escape(text.encode()) + rb"\s*:", seen.head)
        ]
        return found + self._upstream(expected, recipe, seen.upstream)

    def _upstream(self, expected: Mapping[str, Any], recipe: Recipe, got: Sequence[Recorded]) -> list[str]:
        found = []
        for request in got:
            sent = {name.decode("latin-1") for name, _ in request.headers}
            found += [f"sent {name}" for name in expected.get("upstream_must_not_have", ()) if name.lower() in sent]
        if expected.get("upstream_must_have") and len(got) == 1:
            sent = {name.decode("latin-1") for name, _ in got[0].headers}
            found += [f"did not send {name}" for name in expected["upstream_must_have"] if name.lower() not in sent]
        methods = [request.method for request in got]
        match expected["upstream"]:
            case "none":
                found += [f"reached the upstream: {methods}"] if got else []
            case "no-write":
                found += [f"wrote upstream: {methods}"] if set(methods) - {"GET", "HEAD"} else []
            case "not-completed":
                found += ["completed upstream"] if any(request.complete for request in got) else []
            case "unchanged":
                found += self._unchanged(recipe, got)
            case "copy-any-range":
                found += self._unchanged(recipe, got, except_for=(b"x-cos-copy-source-range",))
            case "copied":
                found += self._copied(got)
            case "any":
                pass
            case other:
                raise ValueError(f"unknown outcome {other!r}")
        return found

    def _unchanged(self, recipe: Recipe, got: Sequence[Recorded], except_for: Sequence[bytes] = ()) -> list[str]:
        if len(got) != 1:
            return [f"{len(got)} requests reached the upstream, expected 1"]
        request, found = got[0], []
        target = recipe.target or recipe.raw_path
        if target.startswith(b"http"):
            target = b"/" + target.split(b"/", 3)[3]
        if request.method != recipe.method:
            found.append(f"sent {request.method}")
        if unquote_to_bytes(request.raw_path) != unquote_to_bytes(target.partition(b"?")[0]):
            found.append(f"sent the path {request.raw_path!r}")
        if Counter(request.query) != Counter(_own_query(recipe)):
            found.append(f"sent the query {request.query}")
        if request.body != recipe.body:
            found.append(f"sent the body {request.body[:60]!r}")
        asked, sent = _controls(recipe.headers), _controls(request.headers)
        for name in except_for:
            asked.pop(name, None)
            sent.pop(name, None)
        if asked != sent:
            found.append(f"sent {sent}, asked {asked}")
        return found + self._resigned(request)

    def _copied(self, got: Sequence[Recorded]) -> list[str]:
        if [request.method for request in got] != ["PUT"]:
            return [f"expected one PUT, got {[request.method for request in got]}"]
        source = got[0].header(b"x-cos-copy-source") or got[0].header(b"x-amz-copy-source") or b""
        found = [] if source.lstrip(b"/").startswith(b"src-1250000000") else [f"copied from {source!r}"]
        return found + self._resigned(got[0])

    def _resigned(self, request: Recorded) -> list[str]:
        upstream = self.fixture["upstream"]
        if not signing.proves(request.signable(), upstream["ak"], upstream["sk"]):
            return ["not signed by the upstream key over host and every control header"]
        return []

    def _always(self, recipe: Recipe, seen: Observed) -> list[str]:
        """What fails a case whatever else it expects."""
        found = []
        if seen.status is not None:
            if seen.status >= 500 and seen.status not in (501, 503, 505):
                found.append(f"a fault of our own: {seen.status}")
            if not re.search(rb"(?im)^x-cos-request-id: *\S", seen.head):
                found.append("an answer without x-cos-request-id")
            if not re.search(rb"(?im)^date: *\S", seen.head):
                found.append("an answer without Date")
        secrets = [key["sk"] for key in self.fixture["keys"].values()] + [self.fixture["upstream"]["ak"]]
        found += [f"the answer holds {secret!r}" for secret in secrets if secret.encode() in seen.raw]
        for request in seen.upstream:
            for credential in (self.names["ALICE_AK"], self.names["BOB_AK"], recipe.signature):
                if credential and credential.encode() in request.head:
                    found.append(f"the caller's {credential!r} reached the upstream")
        return found


def _own_query(recipe: Recipe) -> list[tuple[bytes, bytes]]:
    query = recipe.target.partition(b"?")[2] if recipe.target else recipe.raw_query
    return [(name, value) for name, value in signing.split_query(query) if not _SIGNATURE_PARAMETERS.fullmatch(name)]


def _controls(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    return {
        name.lower(): unquote_to_bytes(value)
        for name, value in headers
        if name.lower().startswith(b"x-cos-") and not name.lower().startswith(_NOT_FORWARDED)
    }
