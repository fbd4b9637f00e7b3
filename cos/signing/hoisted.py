"""Headers in the query of a presigned S3 URL: AWS's JavaScript SDK puts every `x-amz-*` header there.

SigV4 covers the whole query, so such a parameter is as signed as a listed header, and S3 reads it as that header.
Here it becomes the header, before anything asks what the request wants, and is judged like one. The signature is
verified over the request as received.

Source: AWS SDK for JavaScript 3, `@smithy/signature-v4` (moveHeadersToQuery).
"""

from __future__ import annotations

import re
from dataclasses import replace

from cos.errors import COSError
from cos.headers import Headers
from cos.request import Request
from cos.signing.sigv4 import CARRIER_PARAMETERS, SIGNATURE_PARAMETER

_CARRIERS = frozenset(name.lower() for name in CARRIER_PARAMETERS)
_HEADER_NAME = re.compile(r"x-amz-[a-z0-9-]{1,100}", re.ASCII)


def with_hoisted_headers(request: Request) -> Request:
    """The request with the `x-amz-*` parameters of a presigned URL as headers; any other request unchanged.

    Raises COSError(InvalidArgument) for one that is a header as well, or could not be one.
    """
    target = request.target
    if target.value(SIGNATURE_PARAMETER) is None:
        return request
    hoisted = [
        parameter
        for parameter in target.query
        if parameter.name.lower().startswith("x-amz-") and parameter.name not in CARRIER_PARAMETERS
    ]
    if not hoisted:
        return request
    fields = []
    for name, value in hoisted:
        header = name.lower()
        if header in _CARRIERS or _HEADER_NAME.fullmatch(header) is None or header.encode() in request.headers:
            raise COSError("InvalidArgument", f"Expected {name[:60]!r} once, as a header or in the query.")
        if not value.isprintable():
            raise COSError("InvalidArgument", f"Expected {name[:60]!r} to be one line of text.")
        fields.append((header.encode("ascii"), value.encode("utf-8")))
    return replace(
        request,
        target=replace(target, query=tuple(parameter for parameter in target.query if parameter not in hoisted)),
        headers=Headers([*request.headers, *fields]),
    )
