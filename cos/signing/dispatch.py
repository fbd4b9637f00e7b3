"""One signature per request: which scheme it is, and the functions of that scheme.

Source: threat model C3 (never header and query together, each field once).
"""

from __future__ import annotations

from cos.errors import COSError
from cos.request import Request
from cos.rewrite import UpstreamRequest
from cos.signing import q_sign, q_sign_claim, q_sign_make
from cos.signing.claim import Claim, QSignTerms, Scheme
from cos.signing.sign_keys import SignKeys

_Q_SIGN_PREFIX = "q-sign-algorithm="


def read_claim(request: Request) -> Claim:
    """The one signature of a request, read but not verified.

    Raises COSError: AccessDenied when it is unsigned, signed twice or in a scheme not spoken here,
    InvalidArgument or InvalidRequest when a field is malformed.
    """
    in_query = [name for name, _ in request.target.query if name in q_sign.CARRIER_PARAMETERS]
    if b"authorization" in request.headers:
        if in_query:
            raise COSError("AccessDenied", "Expected a signature in the header or in the query, got both.")
        authorization = request.headers.text(b"authorization") or ""
        if authorization.startswith(_Q_SIGN_PREFIX):
            return q_sign_claim.read_header_claim(request, authorization)
        raise COSError("AccessDenied", "Expected an Authorization of q-sign-algorithm=sha1 or AWS4-HMAC-SHA256.")
    if in_query:
        return q_sign_claim.read_query_claim(request)
    raise COSError("AccessDenied", "Expected a signed request.")


def verify(request: Request, claim: Claim, secret_key: str, *, sign_keys: SignKeys | None = None) -> None:
    """Prove that the request was signed with `secret_key` as claimed; constant time in the signature.

    `sign_keys` spares deriving the same signing key again. Raises COSError: SignatureDoesNotMatch with
    StringToSign and FormatString as details, AccessDenied when a listed name is absent.
    """
    match claim.terms:
        case QSignTerms():
            q_sign.verify(request, claim, secret_key, sign_keys)


def sign(
    request: UpstreamRequest,
    *,
    scheme: Scheme,
    secret_id: str,
    secret_key: str,
    token: str | None,
    now: int,
    lifetime_seconds: int,
    region: str,
) -> UpstreamRequest:
    """The request with its authorization (and token) headers; `now` is Unix seconds."""
    if scheme is not Scheme.Q_SIGN:
        raise COSError("NotImplemented")
    return q_sign_make.sign(
        request, secret_id=secret_id, secret_key=secret_key, token=token, now=now, lifetime_seconds=lifetime_seconds
    )
