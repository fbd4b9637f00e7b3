"""Making COS signatures: for what the gateway sends upstream, and for presigned URLs.

Signed are host, all query parameters and every header that a COS SDK signs. Repeated names are listed once per
value, as the Go SDK does.

Source: reference page §1.2, §1.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from cos.rewrite import UpstreamRequest
from cos.signing import q_sign
from cos.signing.encoding import encode_name
from cos.signing.presigned import with_parameters
from cos.signing.sign_keys import SignKeys
from cos.target import Parameter

START_MARGIN_SECONDS = 60
"""Signatures start this far in the past, for a verifier whose clock is behind (the Python SDK does the same)."""

SIGNED_HEADERS = frozenset(
    {
        b"access-control-request-headers",
        b"access-control-request-method",
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-length",
        b"content-md5",
        b"content-type",
        b"expect",
        b"expires",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-unmodified-since",
        b"origin",
        b"pic-operations",
        b"range",
        b"transfer-encoding",
    }
)
SIGNED_PREFIXES = (b"x-cos-", b"x-ci-")

_name_of = itemgetter(0)
_TOKEN_HEADER = q_sign.TOKEN_NAME.encode()
_REPLACED = (b"authorization", _TOKEN_HEADER)


def sign(
    request: UpstreamRequest,
    *,
    secret_id: str,
    secret_key: str,
    token: str | None,
    now: int,
    lifetime_seconds: int,
    sign_keys: SignKeys | None,
) -> UpstreamRequest:
    """The request with `authorization`, and with `x-cos-security-token` (signed) when there is a token."""
    headers = [field for field in request.headers if field[0] not in _REPLACED]
    if token is not None:
        headers.append((_TOKEN_HEADER, token.encode()))
    fields = _signature_fields(request, headers, secret_id, secret_key, now, lifetime_seconds, sign_keys)
    authorization = "&".join(map("=".join, fields))
    headers.append((b"authorization", authorization.encode()))
    return UpstreamRequest(request.method, request.host, request.path, request.query, request.target, tuple(headers))


def presign(
    request: UpstreamRequest,
    *,
    secret_id: str,
    secret_key: str,
    token: str | None,
    now: int,
    lifetime_seconds: int,
) -> UpstreamRequest:
    """The request with its signature, and its token when there is one (signed), in the query.

    Whoever uses the URL must send `request.headers` with it.
    """
    if token is not None:
        request = with_parameters(request, (Parameter(q_sign.TOKEN_NAME, token),))
    fields = _signature_fields(request, request.headers, secret_id, secret_key, now, lifetime_seconds, None)
    return with_parameters(request, tuple(Parameter(name, value) for name, value in fields))


def _signature_fields(
    request: UpstreamRequest,
    fields: Sequence[tuple[bytes, bytes]],
    secret_id: str,
    secret_key: str,
    now: int,
    lifetime_seconds: int,
    sign_keys: SignKeys | None,
) -> tuple[tuple[str, str], ...]:
    """The seven fields of an Authorization over the request with these header fields, in the documented order."""
    window = f"{now - START_MARGIN_SECONDS};{now + lifetime_seconds}"
    headers = _cover_headers([(b"host", request.host.encode()), *fields])
    parameters = _cover_parameters(request.query)
    http_text = q_sign.http_string(
        request.method,
        request.path,
        q_sign.http_pairs(parameters.names, parameters.values),
        q_sign.http_pairs(headers.names, headers.values),
    )
    key = q_sign.started_key(secret_key, window, sign_keys)
    if sign_keys is not None:
        sign_keys.keep(secret_key, window, key)
    return (
        ("q-sign-algorithm", "sha1"),
        ("q-ak", secret_id),
        ("q-sign-time", window),
        ("q-key-time", window),
        ("q-header-list", headers.listed),
        ("q-url-param-list", parameters.listed),
        ("q-signature", key.sign(q_sign.string_to_sign(window, http_text))),
    )


class _Covered(NamedTuple):
    """What a signature covers: canonical names and raw values in the order they are listed, and the list itself."""

    names: Sequence[str]
    values: Sequence[bytes]
    listed: str


class _Order(NamedTuple):
    """The covered ones of some fields or parameters, sorted: their canonical names, their places, and the list."""

    names: tuple[str, ...]
    places: tuple[int, ...]
    listed: str


def _cover_headers(fields: Sequence[tuple[bytes, bytes]]) -> _Covered:
    # The receiver sees a value without surrounding white space.
    order = _order_headers(tuple(map(_name_of, fields)))
    if order is not None:
        return _Covered(order.names, [fields[place][1].strip(b" \t") for place in order.places], order.listed)
    return _sorted([(encode_name(name), value.strip(b" \t")) for name, value in fields if _is_covered(name)])


def _cover_parameters(query: Sequence[Parameter]) -> _Covered:
    order = _order_parameters(tuple(map(_name_of, query)))
    if order is not None:
        return _Covered(order.names, [query[place].value.encode() for place in order.places], order.listed)
    return _sorted([(encode_name(name.encode()), value.encode()) for name, value in query])


def _sorted(pairs: list[tuple[str, bytes]]) -> _Covered:
    """With repeated names: their values are sorted too."""
    pairs.sort()
    names = [name for name, _ in pairs]
    return _Covered(names, [value for _, value in pairs], ";".join(names))


@lru_cache(maxsize=256)
def _order_headers(names: tuple[bytes, ...]) -> _Order | None:
    """The order of fields by their names alone; None when a name is repeated."""
    return _order([(encode_name(name), place) for place, name in enumerate(names) if _is_covered(name)])


@lru_cache(maxsize=256)
def _order_parameters(names: tuple[str, ...]) -> _Order | None:
    return _order([(encode_name(name.encode()), place) for place, name in enumerate(names)])


def _order(places: list[tuple[str, int]]) -> _Order | None:
    places.sort()
    names = tuple([name for name, _ in places])
    if len(set(names)) != len(names):
        return None
    return _Order(names, tuple([place for _, place in places]), ";".join(names))


def _is_covered(name: bytes) -> bool:
    return name == b"host" or name in SIGNED_HEADERS or name.startswith(SIGNED_PREFIXES)
