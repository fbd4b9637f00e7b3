"""Making COS signatures: for what the gateway sends upstream, and for presigned URLs.

Signed are host, all query parameters and every header that a COS SDK signs. Repeated names are listed once per
value, as the Go SDK does.

Source: reference page §1.2, §1.4.
"""

from __future__ import annotations

from collections.abc import Iterable

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
    authorization = "&".join([f"{name}={value}" for name, value in fields])
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
    fields: Iterable[tuple[bytes, bytes]],
    secret_id: str,
    secret_key: str,
    now: int,
    lifetime_seconds: int,
    sign_keys: SignKeys | None,
) -> tuple[tuple[str, str], ...]:
    """The seven fields of an Authorization over the request with these header fields, in the documented order."""
    window = f"{now - START_MARGIN_SECONDS};{now + lifetime_seconds}"
    headers = [("host", request.host.encode())]
    for name, value in fields:
        if name in SIGNED_HEADERS or name.startswith(SIGNED_PREFIXES):
            # The receiver sees the value without surrounding white space.
            headers.append((encode_name(name), value.strip(b" \t")))
    headers.sort()
    parameters = sorted([(encode_name(name.encode()), value.encode()) for name, value in request.query])
    http_text = q_sign.http_string(
        request.method, request.path, q_sign.http_pairs(parameters), q_sign.http_pairs(headers)
    )
    key = q_sign.started_key(secret_key, window, sign_keys)
    computed = key.copy()
    computed.update(q_sign.string_to_sign(window, http_text).encode())
    if sign_keys is not None:
        sign_keys.keep(secret_key, window, key)
    return (
        ("q-sign-algorithm", "sha1"),
        ("q-ak", secret_id),
        ("q-sign-time", window),
        ("q-key-time", window),
        ("q-header-list", ";".join([name for name, _ in headers])),
        ("q-url-param-list", ";".join([name for name, _ in parameters])),
        ("q-signature", computed.hexdigest()),
    )
