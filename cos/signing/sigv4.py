"""AWS Signature Version 4 for S3 requests: its intermediate strings, and verification.

    canonical_request = method ⏎ uri ⏎ query ⏎ headers ⏎ signed_headers ⏎ payload
    string_to_sign    = "AWS4-HMAC-SHA256" ⏎ moment ⏎ scope ⏎ hex(SHA256(canonical_request))
    signing_key       = HMAC(HMAC(HMAC(HMAC("AWS4" + secret_key, date), region), service), "aws4_request")
    signature         = hex(HMAC-SHA256(signing_key, string_to_sign))

The query is always covered whole, headers as listed. The payload line is what the client declared; whoever
reads the body compares (`Claim.payload_sha256`). Of a body in signed chunks (`STREAMING-…`) this signature is
the first link of a chain: `chunked` is its place.

Source: AWS, "Authenticating Requests: Using the Authorization Header" and "Using Query Parameters" (S3 API).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence

from cos.errors import COSError
from cos.request import Request
from cos.signing.claim import Claim, Scope, SigV4Terms
from cos.signing.encoding import encode_path, encode_value
from cos.signing.hosts import host_readings
from cos.signing.keyed import Digest, KeyedDigest
from cos.signing.sign_keys import SignKeys
from cos.target import Parameter, Target, percent_decode

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
TOKEN_HEADER = b"x-amz-security-token"
SIGNATURE_PARAMETER = "X-Amz-Signature"
CARRIER_PARAMETERS = frozenset(
    {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
        SIGNATURE_PARAMETER,
    }
)
"""Query parameters that make a URL presigned."""

_SPACES = re.compile(rb" {2,}")
_SECRET_VALUES = re.compile(
    r"(?m)((?:^|&)(?:X-Amz-Security-Token=|x-amz-security-token:"
    r"|x-amz-(?:copy-source-)?server-side-encryption-customer-key:))[^&\n]*"
)


# --- the intermediate strings, in the order they are made ---------------------------------------------------


def canonical_query(query: Iterable[Parameter]) -> str:
    """`partNumber=1&uploadId=u1`: every parameter but the signature, encoded, sorted by name and value."""
    pairs = [
        (encode_value(name.encode()), encode_value(value.encode()))
        for name, value in query
        if name != SIGNATURE_PARAMETER
    ]
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def canonical_headers(listed: Sequence[str], headers: Mapping[str, Sequence[bytes]]) -> bytes:
    """`host:…⏎x-amz-date:…⏎`: each listed header on a line, values of a repeated one joined by commas.

    Runs of spaces count as one. Raises COSError(AccessDenied) when a listed header is absent.
    """
    lines = []
    for name in listed:
        values = headers.get(name)
        if not values:
            raise COSError("AccessDenied", f"Expected {name[:60]!r}, which the signature lists, in the request.")
        value = b",".join(values)
        if b"  " in value:
            value = _SPACES.sub(b" ", value)
        lines.append(b"%b:%b\n" % (name.encode(), value))
    return b"".join(lines)


def canonical_request(
    method: str, uri: str, query: str, headers: bytes, signed_headers: Sequence[str], payload: str
) -> bytes:
    """Six parts joined by LF; `headers` ends with one of its own, so an empty line follows it."""
    return b"\n".join(
        (method.encode(), uri.encode(), query.encode(), headers, ";".join(signed_headers).encode(), payload.encode())
    )


def string_to_sign(moment: str, scope: Scope, canonical: bytes) -> str:
    """`AWS4-HMAC-SHA256⏎20130524T000000Z⏎20130524/us-east-1/s3/aws4_request⏎7344ae5b…`, no LF at the end."""
    return f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"


def signing_key(secret_key: str, scope: Scope) -> bytes:
    """32 bytes, good for one date, region and service."""
    key = f"AWS4{secret_key}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature(key: bytes, text: str) -> str:
    """64 hex digits."""
    return hmac.digest(key, text.encode(), "sha256").hex()


def started_key(secret_key: str, scope: Scope, sign_keys: SignKeys | None) -> KeyedDigest:
    """What signs a string to sign."""
    held = sign_keys.find((secret_key, str(scope))) if sign_keys is not None else None
    return held if held is not None else KeyedDigest(signing_key(secret_key, scope), Digest.SHA256)


# --- verification -------------------------------------------------------------------------------------------


def verify(request: Request, claim: Claim, terms: SigV4Terms, secret_key: str, sign_keys: SignKeys | None) -> None:
    """Sign the request again as claimed and compare in constant time.

    The host matches as received or without its port, the path with its `%2F` decoded or kept. Raises
    COSError(SignatureDoesNotMatch, AccessDenied).
    """
    key = started_key(secret_key, terms.scope, sign_keys)
    listed = claim.signed_headers
    headers: dict[str, Sequence[bytes]] = {name: request.headers.get_all(name.encode()) for name in listed}
    query = canonical_query(request.target.query)
    claimed = claim.signature.encode()
    for host in host_readings(request):
        headers["host"] = (host,)
        header_lines = canonical_headers(listed, headers)
        for uri in _uri_readings(request.target):
            canonical = canonical_request(request.method, uri, query, header_lines, listed, terms.payload)
            to_sign = string_to_sign(terms.moment, terms.scope, canonical)
            if hmac.compare_digest(key.sign(to_sign).encode(), claimed):
                if sign_keys is not None:
                    sign_keys.keep(secret_key, str(terms.scope), key)
                return
    raise COSError(
        "SignatureDoesNotMatch",
        details=(
            ("StringToSign", to_sign),
            ("CanonicalRequest", _SECRET_VALUES.sub(r"\1***", canonical.decode("utf-8", "replace"))),
        ),
    )


def _uri_readings(target: Target) -> tuple[str, ...]:
    """The path as S3 clients encode a key; and, when the wire has `%2F`, with that slash kept encoded.

    Both decode to the same path, so neither lets a signature fit another object.
    """
    usual = encode_path(target.path)
    raw_path = target.raw.partition(b"?")[0]
    if b"%2f" not in raw_path.lower():
        return (usual,)
    if target.authority is not None:
        raw_path = b"/" + raw_path.partition(b"://")[2].partition(b"/")[2]
    kept = "/".join([encode_value(percent_decode(segment)) for segment in raw_path.split(b"/")])
    return (usual, kept)
