"""Headers in the query of a presigned S3 URL: AWS's JavaScript SDK puts every `x-amz-*` header there.

SigV4 covers the whole query, so such a parameter is as signed as a listed header, and S3 reads it as that header.
Here it becomes the header, before anything asks what the request wants, and is judged like one. The signature is
verified over the request as received.

Of a URL signed with Signature Version 2, Content-Type and Content-MD5 may be there as well: botocore puts them there,
and the signature covers them like the headers they are.

Source: AWS SDK for JavaScript 3, `@smithy/signature-v4` (moveHeadersToQuery); botocore `auth.py`, HmacV1QueryAuth.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from cos.errors import COSError
from cos.headers import Headers
from cos.request import Request
from cos.signing.sigv4 import CARRIER_PARAMETERS, SIGNATURE_PARAMETER
from cos.target import Parameter

_SIGV2_KEY = "AWSAccessKeyId"
_SIGV2_HEADERS = frozenset({"content-type", "content-md5"})
_CARRIERS = frozenset(name.lower() for name in CARRIER_PARAMETERS)
_HEADER_NAME = re.compile(r"x-amz-[a-z0-9-]{1,100}", re.ASCII)


def with_hoisted_headers(request: Request) -> Request:
    """The request with the `x-amz-*` parameters of a presigned URL as headers; any other request unchanged.

    Raises COSError(InvalidArgument) for one that is a header as well, or could not be one.
    """
    names = request.target.query_names
    if SIGNATURE_PARAMETER not in names:
        return request if _SIGV2_KEY not in names else _with_sigv2_headers(request)
    hoisted = [
        parameter
        for parameter in request.target.query
        if parameter.name.lower().startswith("x-amz-") and parameter.name not in CARRIER_PARAMETERS
    ]
    return _moved(request, hoisted)


def _with_sigv2_headers(request: Request) -> Request:
    hoisted = []
    for parameter in request.target.query:
        name = parameter.name.lower()
        if name.startswith("x-amz-"):
            hoisted.append(parameter)
        elif name in _SIGV2_HEADERS:
            # The client sends the header beside it; then they must say the same.
            if request.headers.get(name.encode()) == parameter.value.encode("utf-8"):
                request = _without(request, [parameter])
            else:
                hoisted.append(parameter)
    return _moved(request, hoisted)


def _moved(request: Request, hoisted: list[Parameter]) -> Request:
    """The request with these parameters as headers. Raises COSError(InvalidArgument)."""
    if not hoisted:
        return request
    fields = []
    for name, value in hoisted:
        header = name.lower()
        known = header in _SIGV2_HEADERS or _HEADER_NAME.fullmatch(header) is not None
        if header in _CARRIERS or not known or header.encode() in request.headers:
            raise COSError("InvalidArgument", f"Expected {name[:60]!r} once, as a header or in the query.")
        if not value.isprintable():
            raise COSError("InvalidArgument", f"Expected {name[:60]!r} to be one line of text.")
        fields.append((header.encode("ascii"), value.encode("utf-8")))
    return replace(_without(request, hoisted), headers=Headers.of([*request.headers, *fields]))


def _without(request: Request, parameters: list[Parameter]) -> Request:
    kept = [parameter for parameter in request.target.query if parameter not in parameters]
    return replace(request, target=request.target.with_query(kept))
