"""A form upload in the pipeline: its head is read, its signature proved, and it goes on as a PUT Object.

The head is bounded and read before the caller is known, because that is where the signature is; the file is
not read before the call was allowed. Decisions: docs/adr/0010-forms-become-puts.md.
"""

from __future__ import annotations

from cos.address import Address
from cos.errors import COSError
from cos.forms import Form, FormFile, FormHeadReader, FormUpload, read_form_claim, read_form_upload
from cos.request import Request
from gateway.authenticate import Authenticator
from gateway.exchange import Exchange
from policies.request import Caller

_SIGNED_ELSEWHERE = (b"x-cos-", b"x-cosgw-", b"x-amz-", b"x-ci-")


async def admit_form(
    exchange: Exchange, request: Request, address: Address, authenticator: Authenticator, *, now: float
) -> tuple[Caller, FormUpload]:
    """Who sent a form, and the upload its policy allows. `exchange.body()` is the file from here on.

    Raises COSError, ports.Sealed and ClientGone.
    """
    for name in request.headers.names():
        if name == b"authorization" or name.startswith(_SIGNED_ELSEWHERE):
            raise COSError("AccessDenied", f"Expected no {name.decode('ascii')!r} header: a form has its own fields.")
    reader = FormHeadReader(request.headers.get(b"content-type") or b"")
    form = await _read_head(exchange, reader)
    form_claim = read_form_claim(form, accepts_sigv2=authenticator.accepts_sigv2)
    caller = authenticator.authenticate_form(
        form_claim, now=now, client_address=exchange.client_address, certificate=exchange.certificate
    )
    upload = read_form_upload(form, form_claim, request, address, now=now)
    exchange.payload = FormFile(reader.boundary, min_bytes=upload.min_bytes, max_bytes=upload.max_bytes)
    return caller, upload


async def _read_head(exchange: Exchange, reader: FormHeadReader) -> Form:
    async for piece in exchange.body():
        read = reader.feed(piece)
        if read is not None:
            form, rest = read
            exchange.push_back(rest)
            return form
    raise reader.finish()
