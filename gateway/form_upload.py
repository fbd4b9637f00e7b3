"""A form upload in the pipeline: its head is read, its signature proved, and it goes on as a PUT Object.

The head is bounded and read before the caller is known, because that is where the signature is; the file is
not read before the call was allowed. Decisions: docs/adr/0010-forms-become-puts.md.
"""

from __future__ import annotations

from urllib.parse import urlencode

from cos.address import Address
from cos.errors import COSError
from cos.forms import Form, FormFile, FormHeadReader, FormUpload, read_form_claim, read_form_upload
from cos.request import Request
from cos.target import render_path
from cos.xml import element, render_document
from gateway.authenticate import Authenticator
from gateway.exchange import Exchange
from policies.request import Caller

_SIGNED_ELSEWHERE = (b"x-cos-", b"x-amz-", b"x-ci-")


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
    form_claim = read_form_claim(form)
    caller = authenticator.authenticate_form(form_claim, now=now, client_address=exchange.client_address)
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


def render_form_answer(
    upload: FormUpload, headers: list[tuple[bytes, bytes]]
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, fields and body that answer a form once its object is stored.

    `headers` are those of the PUT's answer. A redirect carries bucket, key and ETag in its query, as COS's does.
    """
    etag = next((value for name, value in headers if name == b"etag"), b"").decode("latin-1")
    bucket, key = upload.address.bucket or "", upload.address.key or ""
    kept = [field for field in headers if field[0] not in (b"content-length", b"content-type")]
    if upload.redirect is not None:
        joint = "&" if "?" in upload.redirect else "?"
        query = urlencode({"bucket": bucket, "key": key, "etag": etag})
        kept.append((b"location", f"{upload.redirect}{joint}{query}".encode("ascii")))
        return 303, [*kept, (b"content-length", b"0")], b""
    location = f"http://{upload.request.host}".encode() + render_path(b"/" + key.encode("utf-8"))
    kept.append((b"location", location))
    if upload.status == 204:
        return 204, kept, b""
    body = b""
    if upload.status == 201:
        body = render_document(
            element(
                "PostResponse",
                element("Location", location.decode("ascii")),
                element("Bucket", bucket),
                element("Key", key),
                element("ETag", etag),
            )
        )
        kept.append((b"content-type", b"application/xml"))
    return upload.status, [*kept, (b"content-length", b"%d" % len(body))], body
