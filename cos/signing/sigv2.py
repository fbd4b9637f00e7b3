"""AWS Signature Version 2 for S3 requests: its intermediate strings, and verification.

    string_to_sign = method ⏎ content-md5 ⏎ content-type ⏎ date ⏎ amz_headers resource
    amz_headers    = name ":" value ⏎ …          every x-amz-* header, by name
    resource       = "/" bucket path "?" words   the path as sent; the bucket only where the host names it
    signature      = base64(HMAC-SHA1(secret_key, string_to_sign))

`date` is the Date header, empty beside x-amz-date, and in a URL the moment it expires. It covers no host and no
body, and of the query only the words in SIGNED_PARAMETERS; `coverage` says what may stand beside them.

The text has one reading only: a header holds no LF, so the first four lines are four fields; a word's value holds no
`&`, so no value passes for two words.

Source: AWS, S3 API, "Signing and Authenticating REST Requests"; botocore `auth.py`, HmacV1Auth; s3cmd `Crypto.py`.
"""

from __future__ import annotations

import base64
import hmac
import re

from cos.errors import COSError
from cos.request import Request
from cos.signing.claim import Claim, SigV2Terms
from cos.signing.hoisted import with_hoisted_headers
from cos.target import Parameter, Target

CARRIER_PARAMETERS = frozenset({"AWSAccessKeyId", "Expires", "Signature"})
SIGNED_PARAMETERS = frozenset(
    {
        "accelerate", "acl", "cors", "delete", "inventory", "lifecycle", "location", "logging", "object-lock",
        "partNumber", "policy", "replication", "restore", "tagging", "uploadId", "uploads", "versionId", "versioning",
        "versions", "website", "response-cache-control", "response-content-disposition", "response-content-encoding",
        "response-content-language", "response-content-type", "response-expires",
    }
)  # fmt: skip
"""Query parameters that the signature covers: AWS's list and botocore's, as far as COS knows the words."""

_SPACES = re.compile(rb"[ \t]+")
_SECRET_VALUES = re.compile(
    r"(?m)^(x-amz-security-token:|x-amz-(?:copy-source-)?server-side-encryption-customer-key:).*$"
)


def amz_headers(request: Request) -> bytes:
    """`x-amz-acl:private⏎x-amz-meta-a:1,2⏎`: repeated ones joined by commas, runs of spaces counting as one."""
    names = sorted(name for name in request.headers.names() if name.startswith(b"x-amz-"))
    return b"".join(b"%b:%b\n" % (name, _SPACES.sub(b" ", b",".join(request.headers.get_all(name)))) for name in names)


def resources(target: Target, bucket: str | None) -> list[bytes]:
    """`/examplebucket-1250000000/a%20b?partNumber=1&uploadId=u1`: values are decoded.

    In every spelling that clients sign, all of which mean the same: a word without a value as `?acl` or `?acl=`, a
    bucket at the end of a path with or without a slash behind it (botocore signs one that it does not send). Raises
    COSError(AccessDenied) for a value that could be read as several words.
    """
    words = sorted(parameter for parameter in target.query if parameter.name in SIGNED_PARAMETERS)
    if any("&" in word.value for word in words):
        raise COSError("AccessDenied", "Expected no '&' in the value of a parameter that SigV2 signs.")
    path = target.raw.partition(b"?")[0]
    if target.authority is not None:
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    if bucket is not None:
        path = b"/%b%b" % (bucket.encode("ascii"), path)
    paths = [path]
    if bucket is None and path.rfind(b"/") == 0 and path != b"/":
        paths.append(path + b"/")
    queries = [_render(words, with_equals=False)]
    if not all(word.value for word in words):
        queries.append(_render(words, with_equals=True))
    return [path + query for path in paths for query in queries]


def string_to_sign(request: Request, date: str, resource: bytes) -> bytes:
    """What is signed of a request whose `x-amz-*` parameters are headers already."""
    fields = (request.headers.get(b"content-md5") or b"", request.headers.get(b"content-type") or b"", date.encode())
    return b"\n".join((request.method.encode(), *fields, amz_headers(request) + resource))


def signature(secret_key: str, text: bytes) -> str:
    """28 characters of base64."""
    return base64.b64encode(hmac.digest(secret_key.encode(), text, "sha1")).decode("ascii")


def verify(request: Request, claim: Claim, terms: SigV2Terms, secret_key: str) -> None:
    """Sign the request again as claimed and compare in constant time. Raises COSError(SignatureDoesNotMatch)."""
    request = with_hoisted_headers(request)
    claimed = claim.signature.encode("ascii")
    for resource in resources(request.target, terms.bucket):
        to_sign = string_to_sign(request, terms.date, resource)
        if hmac.compare_digest(signature(secret_key, to_sign).encode("ascii"), claimed):
            return
    shown = _SECRET_VALUES.sub(r"\1***", to_sign.decode("utf-8", "replace"))
    raise COSError("SignatureDoesNotMatch", details=(("StringToSign", shown),))


def _render(words: list[Parameter], *, with_equals: bool) -> bytes:
    shown = [f"{name}={value}" if value or with_equals else name for name, value in words]
    return b"?" + "&".join(shown).encode() if words else b""
