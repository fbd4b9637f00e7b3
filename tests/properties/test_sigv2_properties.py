"""Signature Version 2: what the document's recipe signs verifies, and nothing that it covers can be changed."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cos.address import parse_address
from cos.errors import COSError
from cos.request import read_request
from cos.signing import check_coverage, read_claim, verify
from tests.support.sigv2_requests import BUCKET, DATE, DOMAINS, ID, PATH_HOST, SECRET, VIRTUAL_HOST

WORDS = ("acl", "partNumber", "uploadId", "versionId", "response-content-type", "tagging", "uploads")

_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="&"), max_size=12)
_keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_lines = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-_/:;= ", max_size=20).map(lambda text: " ".join(text.split()))


@dataclass(frozen=True, slots=True)
class Made:
    """A request as its signer sees it."""

    method: str
    key: str
    words: tuple[tuple[str, str], ...]
    metadata: tuple[tuple[str, str], ...]
    content_type: str
    virtual: bool

    def signature(self) -> str:
        amz = "".join(f"x-amz-meta-{name}:{value}\n" for name, value in sorted(self.metadata))
        words = "&".join(f"{name}={value}" if value else name for name, value in sorted(self.words))
        text = f"{self.method}\n\n{self.content_type}\n{DATE}\n{amz}/{BUCKET}/{quote(self.key, safe='/-_.~')}"
        text += f"?{words}" if words else ""
        return base64.b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha1")).decode()

    def verify(self, signature: str) -> None:
        """Raises COSError."""
        path = quote(self.key, safe="/-_.~")
        target = f"/{path}" if self.virtual else f"/{BUCKET}/{path}"
        query = "&".join(f"{name}={quote(value, safe='')}" if value else name for name, value in self.words)
        fields = [
            ("host", VIRTUAL_HOST if self.virtual else PATH_HOST),
            ("date", DATE),
            *((f"X-Amz-Meta-{name}", value) for name, value in self.metadata),
            *([("content-type", self.content_type)] if self.content_type else []),
            ("authorization", f"AWS {ID}:{signature}"),
        ]
        request = read_request(
            self.method,
            (f"{target}?{query}" if query else target).encode(),
            [(name.encode(), value.encode()) for name, value in fields],
        )
        address = parse_address(request.host, request.target.path, DOMAINS)
        claim = read_claim(request, sigv2_at=address)
        verify(request, claim, SECRET)
        check_coverage(request, claim, level=address.level)


_made = st.builds(
    Made,
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"]),
    key=_keys,
    words=st.lists(st.tuples(st.sampled_from(WORDS), _texts), max_size=3, unique_by=lambda word: word[0]).map(tuple),
    metadata=st.dictionaries(st.text("abcdef", min_size=1, max_size=3), _lines, max_size=3).map(
        lambda found: tuple(found.items())
    ),
    content_type=_lines,
    virtual=st.booleans(),
)


@given(_made)
def test_what_the_recipe_signs_is_accepted(made: Made) -> None:
    made.verify(made.signature())


@given(_made, _made, st.sampled_from(["method", "key", "words", "metadata", "content_type"]))
def test_what_another_request_has_in_a_covered_place_is_refused(made: Made, other: Made, place: str) -> None:
    altered = replace(made, **{place: getattr(other, place)})
    same = replace(altered, words=tuple(sorted(altered.words)), metadata=tuple(sorted(altered.metadata)))
    if same == replace(made, words=tuple(sorted(made.words)), metadata=tuple(sorted(made.metadata))):
        altered.verify(made.signature())
        return
    with pytest.raises(COSError):
        altered.verify(made.signature())


@given(_made)
def test_how_the_bucket_is_named_changes_nothing(made: Made) -> None:
    replace(made, virtual=not made.virtual).verify(made.signature())


def _prove(authorization: str, date: str) -> None:
    fields = [("host", PATH_HOST), ("authorization", f"AWS {authorization}"), ("date", date)]
    path = f"/{BUCKET}/k".encode()
    request = read_request("GET", path, [(name.encode(), value.encode()) for name, value in fields])
    claim = read_claim(request, sigv2_at=parse_address(request.host, path, DOMAINS))
    verify(request, claim, SECRET)


@given(st.text(max_size=80), st.text(max_size=40))
def test_garbage_is_refused_cleanly(authorization: str, date: str) -> None:
    with pytest.raises(COSError):
        _prove(authorization, date)


@given(st.sampled_from([ID, "", "a:b", "\u4e2d"]), st.text("abAB01+/=:", max_size=40), st.sampled_from([DATE, "", "x"]))
def test_what_looks_like_a_signature_is_refused_cleanly(access_key_id: str, signature: str, date: str) -> None:
    with pytest.raises(COSError):
        _prove(f"{access_key_id}:{signature}", date)
