"""One signature per request: which scheme it is, and the functions of that scheme.

Source: threat model C3 (never header and query together, each field once).
"""

from __future__ import annotations

from cos.address import Address
from cos.errors import COSError
from cos.remembering import remembering
from cos.request import Request
from cos.rewrite import UpstreamRequest
from cos.signing import q_sign, q_sign_claim, q_sign_make, sigv2, sigv2_claim, sigv4, sigv4_claim, sigv4_make
from cos.signing.chunked import SIGNED_PREFIX, ChunkSignatures
from cos.signing.claim import Claim, QSignTerms, Scheme, SigV2Terms, SigV4Terms
from cos.signing.sign_keys import SignKeys

_Q_SIGN = Scheme.Q_SIGN
_Q_SIGN_PREFIX = b"q-sign-algorithm="
_SIGV4_PREFIX = f"{sigv4.ALGORITHM} "
_SIGV2_PREFIX = f"{sigv2_claim.SCHEME} "
_NOT_MADE = "expected a scheme that the gateway signs with; Signature Version 2 is only verified"


_CARRIERS = {
    Scheme.Q_SIGN: q_sign.CARRIER_PARAMETERS,
    Scheme.SIGV4: sigv4.CARRIER_PARAMETERS,
    Scheme.SIGV2: sigv2.CARRIER_PARAMETERS,
}
_CARRIER_HEADERS = (b"authorization", b"x-cos-security-token", b"x-amz-security-token")


def is_unsigned(request: Request) -> bool:
    """Whether nothing in a request belongs to a signature: not a part of one, not even a broken one."""
    if any(name in request.headers for name in _CARRIER_HEADERS):
        return False
    return not _schemes_in_query(request.target.query_names)


def read_claim(request: Request, *, sigv2_at: Address | None = None) -> Claim:
    """The one signature of a request, read but not verified.

    `sigv2_at` is what the request addresses where Signature Version 2 is accepted, None where it is not. Raises
    COSError: AccessDenied when it is unsigned, signed twice or in a scheme not spoken here, InvalidArgument or
    InvalidRequest when a field is malformed, InvalidRequest for Version 2 where it is not accepted.
    """
    in_query = _schemes_in_query(request.target.query_names)
    if in_query:
        if len(in_query) > 1 or b"authorization" in request.headers:
            raise COSError("AccessDenied", "Expected one signature, in the header or in the query, got several.")
        return _read_query_claim(request, in_query[0], sigv2_at)
    raw = request.headers.get(b"authorization")
    if raw is None:
        raise COSError("AccessDenied", "Expected a signed request.")
    if raw.startswith(_Q_SIGN_PREFIX):
        return q_sign_claim.read_header_claim(request, raw)
    authorization = request.headers.text(b"authorization") or ""
    if authorization.startswith(_SIGV4_PREFIX):
        return sigv4_claim.read_header_claim(request, authorization)
    if authorization.startswith(_SIGV2_PREFIX):
        return sigv2_claim.read_header_claim(request, authorization, _accepted(sigv2_at))
    raise COSError("AccessDenied", f"Expected an Authorization of q-sign-algorithm=sha1 or {sigv4.ALGORITHM}.")


@remembering(256)  # names alone
def _schemes_in_query(names: tuple[str, ...]) -> tuple[Scheme, ...]:
    """The schemes that any of these parameters belongs to."""
    return tuple(scheme for scheme, carriers in _CARRIERS.items() if not carriers.isdisjoint(names))


def _read_query_claim(request: Request, scheme: Scheme, sigv2_at: Address | None) -> Claim:
    match scheme:
        case Scheme.Q_SIGN:
            return q_sign_claim.read_query_claim(request)
        case Scheme.SIGV4:
            return sigv4_claim.read_query_claim(request)
        case Scheme.SIGV2:
            return sigv2_claim.read_query_claim(request, _accepted(sigv2_at))


def _accepted(sigv2_at: Address | None) -> Address:
    if sigv2_at is None:
        raise COSError("InvalidRequest", sigv2_claim.NOT_SUPPORTED)
    return sigv2_at


def verify(request: Request, claim: Claim, secret_key: str, *, sign_keys: SignKeys | None = None) -> None:
    """Prove that the request was signed with `secret_key` as claimed; constant time in the signature.

    `sign_keys` spares deriving the same signing key again. Raises COSError: SignatureDoesNotMatch with
    StringToSign and FormatString (or CanonicalRequest) as details, AccessDenied when a listed name is absent.
    """
    terms = claim.terms
    match terms:
        case QSignTerms():
            q_sign.verify(request, claim, terms, secret_key, sign_keys)
        case SigV4Terms():
            sigv4.verify(request, claim, terms, secret_key, sign_keys)
        case SigV2Terms():
            sigv2.verify(request, claim, terms, secret_key)


def read_chunk_signatures(
    claim: Claim, secret_key: str, *, sign_keys: SignKeys | None = None
) -> ChunkSignatures | None:
    """The chain that the chunks of the body must continue; None when they are not signed.

    Only for a claim that `verify` accepted: its signature is the first link.
    """
    terms = claim.terms
    if not isinstance(terms, SigV4Terms) or not terms.payload.startswith(SIGNED_PREFIX):
        return None
    return ChunkSignatures(sigv4.started_key(secret_key, terms.scope, sign_keys), terms, claim.signature)


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
    sign_keys: SignKeys | None = None,
) -> UpstreamRequest:
    """The request with its authorization headers, in place of any it had.

    `now` is Unix seconds. `lifetime_seconds` matters to Q_SIGN, `region` to SIGV4. Raises ValueError for SIGV2, which
    is only ever read.
    """
    if scheme is _Q_SIGN:
        return q_sign_make.sign(request, secret_id, secret_key, token, now, lifetime_seconds, sign_keys)
    if scheme is Scheme.SIGV4:
        return sigv4_make.sign(
            request,
            secret_id=secret_id,
            secret_key=secret_key,
            token=token,
            now=now,
            region=region,
            sign_keys=sign_keys,
        )
    raise ValueError(_NOT_MADE)


def presign(
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
    """The request with its signature in the query: `http(s)://<host><target>` is the URL.

    Whoever uses the URL must send `request.headers` with it. `region` matters to SIGV4. Raises ValueError for SIGV2.
    """
    match scheme:
        case Scheme.Q_SIGN:
            return q_sign_make.presign(
                request,
                secret_id=secret_id,
                secret_key=secret_key,
                token=token,
                now=now,
                lifetime_seconds=lifetime_seconds,
            )
        case Scheme.SIGV4:
            return sigv4_make.presign(
                request,
                secret_id=secret_id,
                secret_key=secret_key,
                token=token,
                now=now,
                lifetime_seconds=lifetime_seconds,
                region=region,
            )
        case Scheme.SIGV2:
            raise ValueError(_NOT_MADE)
