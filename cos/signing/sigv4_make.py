"""Making SigV4 signatures: for what the gateway sends upstream in the S3 dialect, and for presigned URLs.

Signed are host, the whole query and every header that q-sign would sign, except `expect` and
`transfer-encoding`, which AWS's own signers leave to the connection.

Source: AWS, S3 API, "Signature Calculations for the Authorization Header"; botocore `auth.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cos.rewrite import UpstreamRequest
from cos.signing import sigv4
from cos.signing.claim import Scope
from cos.signing.encoding import encode_path
from cos.signing.presigned import with_parameters
from cos.signing.q_sign_make import SIGNED_HEADERS as Q_SIGN_HEADERS
from cos.signing.sign_keys import SignKeys
from cos.target import Parameter

SIGNED_HEADERS = Q_SIGN_HEADERS - {b"expect", b"transfer-encoding"}

_PAYLOAD_HEADER = b"x-amz-content-sha256"
_REPLACED = frozenset({b"authorization", b"x-amz-date", sigv4.TOKEN_HEADER})


def sign(
    request: UpstreamRequest,
    *,
    secret_id: str,
    secret_key: str,
    token: str | None,
    now: int,
    region: str,
    sign_keys: SignKeys | None,
) -> UpstreamRequest:
    """The request with `authorization`, `x-amz-date`, `x-amz-content-sha256` and, with a token, its header.

    A payload hash the request already carries is kept; without one the payload is declared unsigned.
    """
    moment, scope = _moment_and_scope(now, region)
    headers = [field for field in request.headers if field[0] not in _REPLACED]
    payload = _payload(request)
    if payload is None:
        payload = sigv4.UNSIGNED_PAYLOAD
        headers.append((_PAYLOAD_HEADER, payload.encode()))
    headers.append((b"x-amz-date", moment.encode()))
    if token is not None:
        headers.append((sigv4.TOKEN_HEADER, token.encode()))
    request = request.with_headers(tuple(headers))
    covered = _covered_headers(request)
    signature = _signature(request, covered, secret_key, moment, scope, payload, sign_keys)
    authorization = (
        f"{sigv4.ALGORITHM} Credential={secret_id}/{scope}, "
        f"SignedHeaders={';'.join(sorted(covered))}, Signature={signature}"
    )
    return request.with_header(b"authorization", authorization.encode())


def presign(
    request: UpstreamRequest,
    *,
    secret_id: str,
    secret_key: str,
    token: str | None,
    now: int,
    lifetime_seconds: int,
    region: str,
) -> UpstreamRequest:
    """The request with its signature, and its token when there is one, in the query; the payload as in `sign`.

    Whoever uses the URL must send `request.headers` with it.
    """
    moment, scope = _moment_and_scope(now, region)
    covered = _covered_headers(request)
    added = [
        Parameter("X-Amz-Algorithm", sigv4.ALGORITHM),
        Parameter("X-Amz-Credential", f"{secret_id}/{scope}"),
        Parameter("X-Amz-Date", moment),
        Parameter("X-Amz-Expires", str(lifetime_seconds)),
        Parameter("X-Amz-SignedHeaders", ";".join(sorted(covered))),
    ]
    if token is not None:
        added.append(Parameter("X-Amz-Security-Token", token))
    request = with_parameters(request, tuple(added))
    signature = _signature(
        request, covered, secret_key, moment, scope, _payload(request) or sigv4.UNSIGNED_PAYLOAD, None
    )
    return with_parameters(request, (Parameter(sigv4.SIGNATURE_PARAMETER, signature),))


def _payload(request: UpstreamRequest) -> str | None:
    """What the request already declares in x-amz-content-sha256."""
    declared = next((value for name, value in request.headers if name == _PAYLOAD_HEADER), None)
    return declared.decode("latin-1") if declared is not None else None


def _moment_and_scope(now: int, region: str) -> tuple[str, Scope]:
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    return moment, Scope(moment[:8], region, "s3")


def _covered_headers(request: UpstreamRequest) -> dict[str, list[bytes]]:
    covered: dict[str, list[bytes]] = {"host": [request.host.encode()]}
    for name, value in request.headers:
        if name in SIGNED_HEADERS or name.startswith(b"x-amz-"):
            covered.setdefault(name.decode("latin-1"), []).append(value.strip(b" \t"))
    return covered


def _signature(
    request: UpstreamRequest,
    covered: dict[str, list[bytes]],
    secret_key: str,
    moment: str,
    scope: Scope,
    payload: str,
    sign_keys: SignKeys | None,
) -> str:
    listed = sorted(covered)
    canonical = sigv4.canonical_request(
        request.method,
        encode_path(request.path),
        sigv4.canonical_query(request.query),
        sigv4.canonical_headers(listed, covered),
        listed,
        payload,
    )
    key = sigv4.started_key(secret_key, scope, sign_keys)
    if sign_keys is not None:
        sign_keys.keep(secret_key, str(scope), key)
    return key.sign(sigv4.string_to_sign(moment, scope, canonical))
