"""Making COS signatures: for what the gateway sends upstream, and for presigned URLs.

Signed are host, all query parameters and every header that a COS SDK signs. Repeated names are listed once per
value, as the Go SDK does.

Source: reference page §1.2, §1.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cos.rewrite import UpstreamRequest
from cos.signing import q_sign
from cos.signing.encoding import encode_name, encode_value
from cos.signing.presigned import with_parameters
from cos.signing.q_sign_template import HttpTemplate
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
_REPLACED = frozenset({b"authorization", _TOKEN_HEADER})


def sign(
    request: UpstreamRequest,
    secret_id: str,
    secret_key: str,
    token: str | None,
    now: int,
    lifetime_seconds: int,
    sign_keys: SignKeys | None,
) -> UpstreamRequest:
    """The request with `authorization`, and with `x-cos-security-token` (signed) when there is a token."""
    covered = _cover(request.method, request.names, request.query_names)
    if token is not None or covered.replaces:
        if covered.replaces:
            request = request.with_headers(tuple([field for field in request.headers if field[0] not in _REPLACED]))
        if token is not None:
            request = request.with_header(_TOKEN_HEADER, token.encode())
        covered = _cover(request.method, request.names, request.query_names)
    text = _authorization(request, covered, secret_id, secret_key, now, lifetime_seconds, sign_keys)
    return UpstreamRequest(
        request.method,
        request.host,
        request.path,
        request.query_names,
        request.query_values,
        request.target,
        covered.signed_names,
        (*request.values, text.encode()),
    )


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
    covered = _cover(request.method, request.names, request.query_names)
    text = _authorization(request, covered, secret_id, secret_key, now, lifetime_seconds, None)
    fields = [field.partition("=") for field in text.split("&")]
    return with_parameters(request, tuple([Parameter(name, value) for name, _, value in fields]))


def _authorization(
    request: UpstreamRequest,
    covered: _Covered,
    secret_id: str,
    secret_key: str,
    now: int,
    lifetime_seconds: int,
    sign_keys: SignKeys | None,
) -> str:
    """The signature of the request, as seven fields in the documented order."""
    values, template = (request.host.encode(), *request.values), covered.template
    if template is not None:
        http_text = template.fill(request.path, request.query_values, values)
    else:
        http_text = _http_string(request, (b"host", *request.names), values)
    window, windows = _window(now, lifetime_seconds)
    key = sign_keys.find((secret_key, window)) if sign_keys is not None else None
    if key is None:
        key = q_sign.started_key(secret_key, window)
        if sign_keys is not None:
            sign_keys.keep(secret_key, window, key)
    signature = key.sign(q_sign.string_to_sign(window, http_text))
    return f"q-sign-algorithm=sha1&q-ak={secret_id}&{windows}&{covered.lists}&q-signature={signature}"


@lru_cache(maxsize=16)  # the requests of one second have one
def _window(now: int, lifetime_seconds: int) -> tuple[str, str]:
    """The time a signature is good for, and the two fields that say it."""
    window = f"{now - START_MARGIN_SECONDS};{now + lifetime_seconds}"
    return window, f"q-sign-time={window}&q-key-time={window}"


class _Covered(NamedTuple):
    """What a signature covers: the fields that list it, and the template of the text; None where a name is repeated.

    `signed_names` are the names of the request's fields once it is signed; `replaces` is whether a signature or a token
    among them must go first.
    """

    lists: str
    template: HttpTemplate | None
    signed_names: tuple[bytes, ...]
    replaces: bool


@lru_cache(maxsize=256)  # names alone
def _cover(method: str, names: tuple[bytes, ...], parameter_names: tuple[str, ...]) -> _Covered:
    """What is covered of a request whose header fields, beside its host, and parameters have these names."""
    fields = sorted([(encode_name(name), place) for place, name in enumerate((b"host", *names)) if _is_covered(name)])
    parameters = sorted([(encode_name(name.encode()), place) for place, name in enumerate(parameter_names)])
    listed = [name for name, _ in fields]
    listed_parameters = [name for name, _ in parameters]
    repeats = len(set(listed)) != len(listed) or len(set(listed_parameters)) != len(listed_parameters)
    template = None if repeats else HttpTemplate(method, parameters, fields)
    return _Covered(
        lists=f"q-header-list={';'.join(listed)}&q-url-param-list={';'.join(listed_parameters)}",
        template=template,
        signed_names=(*names, b"authorization"),
        replaces=not _REPLACED.isdisjoint(names),
    )


def _http_string(request: UpstreamRequest, names: Iterable[bytes], values: Iterable[bytes]) -> bytes:
    """The text to sign of a request that repeats a name: the values of one are sorted too."""
    fields = [(encode_name(name), value) for name, value in zip(names, values, strict=True) if _is_covered(name)]
    parameters = [(encode_name(name.encode()), value.encode()) for name, value in request.query]
    return q_sign.http_string(request.method, request.path, _sorted_pairs(parameters), _sorted_pairs(fields))


def _sorted_pairs(pairs: Iterable[tuple[str, bytes]]) -> str:
    return "&".join([f"{name}={encode_value(value)}" for name, value in sorted(pairs)])


def _is_covered(name: bytes) -> bool:
    return name == b"host" or name in SIGNED_HEADERS or name.startswith(SIGNED_PREFIXES)
