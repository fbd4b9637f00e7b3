"""Reading an AWS Signature Version 4 off a request: from Authorization or from `X-Amz-*` parameters.

Every field is there exactly once and has exactly one spelling; the scope must be S3's and of the same day as
the moment. The region in the scope is the client's business: COS does not check it (reference page §2.4).

Source: AWS, S3 API, "Signature Calculations for the Authorization Header"; threat model C3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise

from cos.errors import COSError
from cos.request import Request
from cos.signing.claim import Carrier, Claim, Scope, SigV4Terms, Window
from cos.signing.q_sign_claim import MAX_AUTHORIZATION_CHARACTERS, MAX_LISTED_NAMES
from cos.signing.sigv4 import ALGORITHM, CARRIER_PARAMETERS, SIGNATURE_PARAMETER, TOKEN_HEADER, UNSIGNED_PAYLOAD

MAX_EXPIRES_SECONDS = 604_800

_HEADER_FIELDS = frozenset({"Credential", "SignedHeaders", "Signature"})
_CREDENTIAL = re.compile(
    r"(?P<id>[A-Za-z0-9._-]{1,128})/(?P<date>[0-9]{8})/(?P<region>[A-Za-z0-9-]{1,64})/(?P<service>[a-z0-9-]{1,32})"
    r"/aws4_request",
    re.ASCII,
)
_MOMENT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z", re.ASCII)
_LIST = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+(?:;[!#$%&'*+.^_`|~0-9a-z-]+)*", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PAYLOAD = re.compile(
    r"[0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-UNSIGNED-PAYLOAD-TRAILER|STREAMING-AWS4-HMAC-SHA256-PAYLOAD(?:-TRAILER)?",
    re.ASCII,
)
_EXPIRES = re.compile(r"[0-9]{1,6}", re.ASCII)


def read_header_claim(request: Request, authorization: str) -> Claim:
    """The claim of an Authorization header. Raises COSError(InvalidArgument, InvalidRequest)."""
    if len(authorization) > MAX_AUTHORIZATION_CHARACTERS:
        raise _malformed(f"a signature of at most {MAX_AUTHORIZATION_CHARACTERS} characters")
    fields: dict[str, str] = {}
    pieces = authorization.removeprefix(ALGORITHM).split(",", len(_HEADER_FIELDS))
    for piece in pieces:
        name, _, value = piece.strip(" ").partition("=")
        fields[name] = value
    if len(pieces) != len(_HEADER_FIELDS) or fields.keys() != _HEADER_FIELDS:
        raise _malformed("Credential, SignedHeaders and Signature once each in Authorization")
    moment = request.headers.text(b"x-amz-date")
    if moment is None:
        raise _malformed("an x-amz-date header")
    start = read_moment(moment)
    return _claim(
        request,
        Carrier.HEADER,
        credential=fields["Credential"],
        signed_headers=fields["SignedHeaders"],
        signature=fields["Signature"],
        moment=moment,
        window=Window(start, start),
        payload=_payload(request, None),
        token=request.headers.text(TOKEN_HEADER),
    )


def read_query_claim(request: Request) -> Claim:
    """The claim of a presigned URL. Raises COSError(InvalidArgument, InvalidRequest, AccessDenied)."""
    given: dict[str, str] = {}
    for name, value in request.target.query:
        if name in CARRIER_PARAMETERS:
            if name in given:
                raise _malformed(f"one {name}")
            given[name] = value
    if _required(given, "X-Amz-Algorithm") != ALGORITHM:
        raise _malformed(f"X-Amz-Algorithm={ALGORITHM}")
    moment = _required(given, "X-Amz-Date")
    start = read_moment(moment)
    expires = _required(given, "X-Amz-Expires")
    if _EXPIRES.fullmatch(expires) is None or not 1 <= int(expires) <= MAX_EXPIRES_SECONDS:
        raise COSError("AccessDenied", f"Expected X-Amz-Expires to be 1 to {MAX_EXPIRES_SECONDS} seconds.")
    token = request.headers.text(TOKEN_HEADER)
    if "X-Amz-Security-Token" in given:
        if token is not None:
            raise COSError("AccessDenied", "Expected one security token, got several.")
        token = given["X-Amz-Security-Token"]
    return _claim(
        request,
        Carrier.QUERY,
        credential=_required(given, "X-Amz-Credential"),
        signed_headers=_required(given, "X-Amz-SignedHeaders"),
        signature=_required(given, SIGNATURE_PARAMETER),
        moment=moment,
        window=Window(start, start + int(expires)),
        payload=_payload(request, given.get("X-Amz-Content-Sha256")),
        token=token,
    )


def _claim(
    request: Request,
    carrier: Carrier,
    *,
    credential: str,
    signed_headers: str,
    signature: str,
    moment: str,
    window: Window,
    payload: str | None,
    token: str | None,
) -> Claim:
    access_key_id, scope = read_credential(credential, moment)
    if _SIGNATURE.fullmatch(signature) is None:
        raise _malformed("a signature of 64 lower-case hexadecimal digits")
    if payload is None:
        if carrier is Carrier.HEADER:
            raise COSError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        payload = UNSIGNED_PAYLOAD
    if carrier is Carrier.QUERY and payload.startswith("STREAMING-"):
        raise COSError("NotImplemented", "Expected no body in chunks (aws-chunked) with a presigned URL.")
    if _PAYLOAD.fullmatch(payload) is None:
        raise _malformed(f"x-amz-content-sha256 to be 64 hexadecimal digits or {UNSIGNED_PAYLOAD}")
    return Claim(
        carrier=carrier,
        access_key_id=access_key_id,
        window=window,
        signed_headers=_read_list(signed_headers),
        signed_parameters=None,
        signature=signature,
        terms=SigV4Terms(moment, scope, payload),
        security_token=token or None,
    )


def read_credential(text: str, moment: str) -> tuple[str, Scope]:
    """The access key id and the scope of a credential used at `moment`. Raises COSError(InvalidArgument)."""
    match = _CREDENTIAL.fullmatch(text)
    if match is None:
        raise _malformed("a credential like <access key id>/<date>/<region>/s3/aws4_request")
    scope = Scope(match["date"], match["region"], match["service"])
    if scope.service != "s3":
        raise _malformed("a credential for the service s3")
    if scope.date != moment[:8]:
        raise _malformed("a credential of the same date as the request")
    return match["id"], scope


def _required(given: Mapping[str, str], name: str) -> str:
    value = given.get(name)
    if value is None:
        raise _malformed(f"the parameter {name} in a presigned URL")
    return value


def _payload(request: Request, parameter: str | None) -> str | None:
    """The declared payload, from the header or the URL. Raises COSError(InvalidArgument) when they differ."""
    header = request.headers.text(b"x-amz-content-sha256")
    if header is not None and parameter is not None and header != parameter:
        raise _malformed("one x-amz-content-sha256")
    return header if header is not None else parameter


def read_moment(text: str) -> int:
    """`20130524T000000Z` as Unix seconds. Raises COSError(InvalidArgument)."""
    match = _MOMENT.fullmatch(text)
    if match is not None:
        try:
            year, month, day, hour, minute, second = map(int, match.groups())
            return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
        except ValueError:
            pass
    raise _malformed("a date like 20130524T000000Z")


def _read_list(text: str) -> tuple[str, ...]:
    names = text.split(";")
    if len(names) > MAX_LISTED_NAMES or _LIST.fullmatch(text) is None:
        raise _malformed(f"SignedHeaders to be 1 to {MAX_LISTED_NAMES} lower-case names joined by ';'")
    if any(earlier >= later for earlier, later in pairwise(names)):
        raise _malformed("SignedHeaders to be in ascending order without repeats")
    return tuple(names)


def _malformed(expected: str) -> COSError:
    return COSError("InvalidArgument", f"Expected {expected}.")
