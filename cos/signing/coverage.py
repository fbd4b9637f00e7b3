"""What a signature must cover: the signer chooses what it signs, so the verifier decides what must be signed.

Host, every control header present and every query parameter present; nothing the gateway judges, forwards or
acts on may be added by someone who merely saw a signed request. The exemptions are the list below and no more.

Source: threat model C1, C3; reference page §1.2, §1.3.9.
"""

from __future__ import annotations

from functools import lru_cache

from cos.address import Level
from cos.errors import COSError
from cos.headers import FieldNames
from cos.request import ECHOED_HEADERS, Request
from cos.signing import sigv2
from cos.signing.claim import Claim, Scheme
from cos.signing.encoding import encode_name
from cos.signing.hoisted import with_hoisted_headers
from cos.signing.q_sign import CARRIER_PARAMETERS, TOKEN_NAME

# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_SIGV2, _SERVICE = Scheme.SIGV2, Level.SERVICE
_CONTROL_PREFIXES = (b"x-cos-", b"x-ci-", b"x-amz-")
_CONTROL_NAMES = frozenset({b"host", b"pic-operations"})
"""Pic-Operations makes COS write further objects; every SDK's signer signs it (py `cos_auth.py`, node `util.js`)."""

_UNSIGNED_HEADERS = frozenset(
    {
        # Added after signing by Node (every request) and Java (node `base.js`, vector nodev.token.getBucket). It is a
        # credential: it proves itself against the key it belongs to.
        TOKEN_NAME.encode(),
        # Java sends these two unsigned (vectors java.*, and its retries reuse the first Authorization). They mark
        # logs and retries; the gateway neither reads nor forwards them.
        b"x-cos-sdk-log-debug",
        b"x-cos-sdk-retry",
    }
)
_UNSIGNED_PARAMETERS = frozenset({TOKEN_NAME})
"""Node and Java append the token to a presigned URL after signing (vectors nodev.presign.params, java.presign.1)."""

_UNSIGNED_SERVICE_PARAMETERS = frozenset({"marker", "max-keys", "tagkey", "tagvalue", "region", "create-time", "range"})
"""Python's list_buckets signs none of its query (vector py.svc.list_buckets). They only page and filter a list."""

_UNSIGNED_SIGV2_PARAMETERS = frozenset(
    {
        "prefix", "delimiter", "encoding-type", "marker", "max-keys", "list-type", "continuation-token", "start-after",
        "fetch-owner", "key-marker", "version-id-marker", "upload-id-marker", "max-uploads", "max-parts",
        "part-number-marker", "max-buckets", "bucket-region", "x-id",
    }
)  # fmt: skip
"""What SigV2 does not sign and listings need. They page and filter a list whose bucket or upload is signed: policy
judges the bucket, whatever the prefix. Everything else that the scheme leaves unsigned is refused."""


def check_coverage(request: Request, claim: Claim, *, level: Level) -> None:
    """Refuse a request that carries more than its signature covers. `level` is what its address names.

    Raises COSError(AccessDenied), with the unsigned names in `<HeadersNotSigned>` or `<ParametersNotSigned>`.
    """
    scheme = claim.terms.scheme
    if scheme is _SIGV2:
        _check_sigv2(request)
        return
    _check_names(
        request.headers.known, claim.signed_headers, request.target.query_names, claim.signed_parameters,
        scheme, level, request.method,
    )  # fmt: skip


@lru_cache(maxsize=256)  # names alone, and a client's requests have the same ones; a refusal is judged anew each time
def _check_names(
    known: FieldNames,
    signed_headers: tuple[str, ...],
    parameters: tuple[str, ...],
    signed_parameters: tuple[str, ...] | None,
    scheme: Scheme,
    level: Level,
    method: str,
) -> None:
    _check_headers(known, signed_headers, scheme)
    if signed_parameters is not None:
        _check_parameters(parameters, signed_parameters, lists_buckets=level is _SERVICE and method == "GET")


def _check_headers(known: FieldNames, signed: tuple[str, ...], scheme: Scheme) -> None:
    q_sign = scheme is Scheme.Q_SIGN
    foreign = b"x-amz-" if q_sign else b"x-cos-"
    missing = []
    for name in known.distinct:
        if name.startswith(_CONTROL_PREFIXES) or name in _CONTROL_NAMES:
            if name in ECHOED_HEADERS:
                continue
            if name.startswith(foreign):
                raise COSError("AccessDenied", f"Expected no {foreign.decode()}* header under this signature.")
            listed_as = encode_name(name) if q_sign else name.decode("latin-1")
            if listed_as not in signed and name not in _UNSIGNED_HEADERS:
                missing.append(name.decode("latin-1"))
    if missing or "host" not in signed:
        raise COSError(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            details=(("HeadersNotSigned", ", ".join(missing or ["host"])),),
        )


def _check_parameters(names: tuple[str, ...], signed: tuple[str, ...], *, lists_buckets: bool) -> None:
    missing = []
    for name in names:
        if name in CARRIER_PARAMETERS or name in _UNSIGNED_PARAMETERS:
            continue
        if lists_buckets and name in _UNSIGNED_SERVICE_PARAMETERS:
            continue
        if encode_name(name.encode()) not in signed:
            missing.append(name)
    if missing:
        raise COSError(
            "AccessDenied",
            "There were query parameters present in the request which were not signed",
            details=(("ParametersNotSigned", ", ".join(missing)),),
        )


def _check_sigv2(request: Request) -> None:
    """What Signature Version 2 leaves out. Its bucket is signed, wherever it is named, and with it what host means.

    Signed are the path, Content-Type, Content-MD5, every x-amz-* header, and the words in `sigv2.SIGNED_PARAMETERS`.
    """
    request = with_hoisted_headers(request)
    headers = [
        name
        for name in request.headers.names()
        if (name.startswith((b"x-cos-", b"x-ci-")) and name not in ECHOED_HEADERS) or name == b"pic-operations"
    ]
    if headers:
        raise COSError(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            details=(("HeadersNotSigned", ", ".join(name.decode("latin-1") for name in headers)),),
        )
    reads = request.method in ("GET", "HEAD")
    missing = [
        name
        for name, _ in request.target.query
        if name not in sigv2.SIGNED_PARAMETERS | sigv2.CARRIER_PARAMETERS
        and not (reads and name in _UNSIGNED_SIGV2_PARAMETERS)
    ]
    if missing:
        raise COSError(
            "AccessDenied",
            "There were query parameters present in the request which were not signed",
            details=(("ParametersNotSigned", ", ".join(missing)),),
        )
