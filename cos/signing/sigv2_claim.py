"""Reading an AWS Signature Version 2 off a request: `Authorization: AWS <id>:<signature>`, or three parameters.

Source: AWS, S3 API, "Signing and Authenticating REST Requests"; threat model C3.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from cos.address import Address, AddressStyle
from cos.errors import COSError
from cos.framing import is_aws_chunked
from cos.request import Request
from cos.signing.claim import Carrier, Claim, SigV2Terms, Window
from cos.signing.hoisted import with_hoisted_headers
from cos.signing.q_sign_claim import ACCESS_KEY_ID
from cos.signing.sigv2 import CARRIER_PARAMETERS
from cos.signing.sigv4 import TOKEN_HEADER
from cos.signing.sigv4_claim import read_moment

SCHEME = "AWS"
NOT_SUPPORTED = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
"""What S3 answers where Signature Version 2 is not accepted."""

_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{27}=", re.ASCII)
_EXPIRES = re.compile(r"[0-9]{1,12}", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(?P<day>[0-9]{{1,2}}) (?P<month>{'|'.join(_MONTHS)}) (?P<year>[0-9]{{4}}) "
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2}) (?:GMT|UTC|\+0000|-0000)",
    re.ASCII,
)


def read_header_claim(request: Request, authorization: str, address: Address) -> Claim:
    """The claim of an Authorization header. Raises COSError(InvalidArgument, AccessDenied)."""
    access_key_id, _, signature = authorization.removeprefix(f"{SCHEME} ").partition(":")
    amz_date = request.headers.text(b"x-amz-date")
    date = request.headers.text(b"date") or ""
    moment = _read_date(amz_date if amz_date is not None else date)
    return _claim(
        request,
        Carrier.HEADER,
        access_key_id=access_key_id,
        signature=signature,
        window=Window(moment, moment),
        terms=SigV2Terms(_bucket_of_host(address), "" if amz_date is not None else date),
    )


def read_query_claim(request: Request, address: Address) -> Claim:
    """The claim of a presigned URL. Raises COSError(InvalidArgument, NotImplemented)."""
    given: dict[str, str] = {}
    for name, value in request.target.query:
        if name in CARRIER_PARAMETERS:
            if name in given:
                raise malformed(f"one {name}")
            given[name] = value
    if given.keys() != CARRIER_PARAMETERS:
        raise malformed("AWSAccessKeyId, Expires and Signature in a presigned URL")
    expires = given["Expires"]
    if _EXPIRES.fullmatch(expires) is None:
        raise malformed("Expires to be Unix seconds")
    request = with_hoisted_headers(request)
    if is_aws_chunked(request.headers):
        raise COSError("NotImplemented", "Expected no body in chunks (aws-chunked) with a presigned URL.")
    return _claim(
        request,
        Carrier.QUERY,
        access_key_id=given["AWSAccessKeyId"],
        signature=given["Signature"],
        window=Window(0, int(expires)),
        terms=SigV2Terms(_bucket_of_host(address), expires),
    )


def check_credential(access_key_id: str, signature: str) -> None:
    """The two fields that every carrier has. Raises COSError(InvalidArgument, SignatureDoesNotMatch)."""
    if ACCESS_KEY_ID.fullmatch(access_key_id) is None:
        raise malformed("an access key id of 1 to 128 letters, digits, '.', '_' or '-'")
    if _SIGNATURE.fullmatch(signature) is None:
        raise COSError("SignatureDoesNotMatch")


def malformed(expected: str) -> COSError:
    """Raised by whoever reads a signature of this version."""
    return COSError("InvalidArgument", f"Expected {expected}.")


def _claim(
    request: Request, carrier: Carrier, *, access_key_id: str, signature: str, window: Window, terms: SigV2Terms
) -> Claim:
    check_credential(access_key_id, signature)
    controls = (name.decode("latin-1") for name in request.headers.names() if name.startswith(b"x-amz-"))
    return Claim(
        carrier=carrier,
        access_key_id=access_key_id,
        window=window,
        signed_headers=("content-md5", "content-type", "date", *sorted(controls)),
        signed_parameters=None,
        signature=signature,
        terms=terms,
        security_token=request.headers.text(TOKEN_HEADER) or None,
    )


def _bucket_of_host(address: Address) -> str | None:
    return None if address.style is AddressStyle.PATH else address.bucket


def _read_date(text: str) -> int:
    """`Tue, 27 Mar 2007 19:36:42 +0000`, or as in SigV4, as Unix seconds. Raises COSError(AccessDenied)."""
    match = _DATE.fullmatch(text)
    try:
        if match is None:
            return read_moment(text)
        day, year, hour, minute, second = (int(match[name]) for name in ("day", "year", "hour", "minute", "second"))
        moment = datetime(year, _MONTHS.index(match["month"]) + 1, day, hour, minute, second, tzinfo=UTC).timestamp()
    except (COSError, ValueError):
        moment = -1
    if moment < 0:
        raise COSError("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    return int(moment)
