"""Signatures for hostile requests: both schemes, written out by themselves and willing to sign nonsense.

Nothing of `cos.signing` is used, so that a shared mistake cannot hide. The same functions check what the gateway
signs towards the upstream.

Source: COS API, "Request Signature"; AWS, "Signature Calculations for the Authorization Header".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote_from_bytes, unquote_to_bytes

Pair = tuple[bytes, bytes]
ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"


def encode(raw: bytes) -> str:
    return quote_from_bytes(raw, safe="-_.~")


def split_query(raw_query: bytes) -> list[Pair]:
    """Names and values, decoded once, `+` as space; a stray `%` stays."""
    pairs = []
    for piece in raw_query.split(b"&"):
        if piece:
            name, _, value = piece.replace(b"+", b" ").partition(b"=")
            pairs.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    return pairs


@dataclass(frozen=True, slots=True)
class Signable:
    """What a signature is made over. Header names are lower-case."""

    method: str
    raw_path: bytes
    query: Sequence[Pair]
    headers: Sequence[Pair]


# --- q-sign -------------------------------------------------------------------------------------------------


def q_signature(
    secret: str, request: Signable, *, header_list: Sequence[str], parameter_list: Sequence[str], times: tuple[str, str]
) -> str:
    """40 hex digits over the listed headers and parameters; `times` are q-sign-time and q-key-time."""
    sign_time, key_time = times
    text = "\n".join(
        (
            request.method.lower(),
            unquote_to_bytes(request.raw_path).decode("latin-1"),
            _listed(parameter_list, request.query),
            _listed(header_list, request.headers),
            "",
        )
    ).encode("latin-1")
    key = hmac.new(secret.encode(), key_time.encode("latin-1"), "sha1").hexdigest()
    to_sign = f"sha1\n{sign_time}\n{hashlib.sha1(text).hexdigest()}\n"
    return hmac.new(key.encode(), to_sign.encode("latin-1"), "sha1").hexdigest()


def q_name(raw: bytes) -> str:
    return encode(raw).lower()


def _listed(names: Sequence[str], pairs: Iterable[Pair]) -> str:
    wanted = set(names)
    found = sorted((q_name(name), encode(value)) for name, value in pairs if q_name(name) in wanted)
    return "&".join(f"{name}={value}" for name, value in found)


# --- SigV4 --------------------------------------------------------------------------------------------------


def sigv4_moment(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def sigv4_signature(
    secret: str, request: Signable, *, header_list: Sequence[str], moment: str, scope: str, payload: str
) -> str:
    """64 hex digits; `scope` is `<date>/<region>/<service>/aws4_request`."""
    values: dict[str, list[str]] = {}
    for name, value in request.headers:
        values.setdefault(name.decode("latin-1"), []).append(" ".join(value.decode("latin-1").split(" ")).strip())
    lines = "".join(f"{name}:{','.join(values.get(name, ['']))}\n" for name in header_list)
    query = "&".join(
        f"{name}={value}"
        for name, value in sorted(
            (encode(name), encode(value)) for name, value in request.query if name != b"X-Amz-Signature"
        )
    )
    uri = quote_from_bytes(unquote_to_bytes(request.raw_path), safe="/-_.~")
    canonical = "\n".join((request.method, uri, query, lines, ";".join(header_list), payload)).encode("latin-1")
    to_sign = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


# --- checking what the gateway signed -------------------------------------------------------------------------


def proves(request: Signable, secret_id: str, secret: str) -> bool:
    """Whether the request carries a right signature of this key over host and every control header."""
    fields = dict(request.headers)
    authorization = fields.get(b"authorization", b"").decode("latin-1")
    if authorization.startswith(ALGORITHM):
        parts = dict(part.strip().split("=", 1) for part in authorization[len(ALGORITHM) :].split(","))
        access_key_id, _, scope = parts["Credential"].partition("/")
        listed = parts["SignedHeaders"].split(";")
        right = sigv4_signature(
            secret,
            request,
            header_list=listed,
            moment=fields[b"x-amz-date"].decode(),
            scope=scope,
            payload=fields[b"x-amz-content-sha256"].decode(),
        )
        claimed = parts["Signature"]
    else:
        parts = dict(part.split("=", 1) for part in authorization.split("&"))
        access_key_id = parts["q-ak"]
        listed = parts["q-header-list"].split(";")
        parameter_list = parts["q-url-param-list"].split(";") if parts["q-url-param-list"] else []
        if set(parameter_list) != {q_name(name) for name, _ in request.query}:
            return False
        right = q_signature(
            secret,
            request,
            header_list=listed,
            parameter_list=parameter_list,
            times=(parts["q-sign-time"], parts["q-key-time"]),
        )
        claimed = parts["q-signature"]
    required = {"host"} | {name.decode() for name, _ in request.headers if name.startswith((b"x-cos-", b"x-amz-"))}
    return access_key_id == secret_id and required <= set(listed) and hmac.compare_digest(right, claimed)
