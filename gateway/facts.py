"""What must be asked of COS before a rule can answer: a source's size and ETag, an upload's parts. Step 8.

A measurement is itself a read of the source. It is made only when every rule that needs no fact has
passed, it is audited before it is sent, and its result is never shown to the caller.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from cos.calls import ObjectCall
from cos.documents import CompletedPart
from cos.errors import COSError
from cos.request import Dialect
from cos.rewrite import UpstreamRequest, head_source, with_controls
from gateway.audit_fields import described
from gateway.context import Context
from gateway.forward import Forwarder
from gateway.upload_facts import measure_upload
from policies.request import Facts

_CUSTOMER = "server-side-encryption-customer-"
_DIGITS = re.compile(rb"[0-9]{1,18}")
_ETAG = re.compile(rb'"?([!#-)+\-.-~]{1,256})"?')

Record = Callable[[Mapping[str, Any], bytes], Awaitable[None]]


class SourceFacts:
    """Measures a copy source with a HEAD request, and an upload by listing its parts."""

    def __init__(self, forwarder: Forwarder, record: Record) -> None:
        self._forwarder = forwarder
        self._record = record

    async def measure_upload(self, context: Context, parts: Sequence[CompletedPart]) -> Facts:
        """The facts of the upload that the context's call completes, of the parts it names.

        Raises COSError(NoSuchUpload, InvalidPart, BadGateway) and PortError.
        """
        call, bucket = context.call, context.bucket
        if not isinstance(call, ObjectCall) or bucket is None:
            raise ValueError("only an upload has parts to measure")
        await self._record({"type": "measure"}, described(context, judged=False))
        size = await measure_upload(self._forwarder, call, bucket, parts)
        return Facts(measured=True, upload_size_bytes=size)

    async def measure(self, context: Context) -> Facts:
        """The facts of the context's copy source.

        Raises COSError(NoSuchKey, InvalidRequest, BadGateway, InvalidArgument) and PortError.
        """
        call, bucket = context.call, context.source_bucket
        if call is None or isinstance(call, ObjectCall) or bucket is None:
            raise ValueError("only a copy has a source to measure")
        request: UpstreamRequest = head_source(call.source, region=bucket.region)
        request = with_controls(request, Dialect.COS, _customer_key(context))
        await self._record({"type": "measure"}, described(context, judged=False))
        response = await self._forwarder.send(request, b"", bucket=bucket, dialect=Dialect.COS, replayable=True)
        try:
            headers = dict(response.headers)
        finally:
            await response.aclose()
        match response.status:
            case 200:
                return _read_facts(headers)
            case 404:
                raise COSError("NoSuchKey", "The copy source does not exist.")
            case 400 | 405:
                # COS: a version that is a delete marker may not be a copy source.
                raise COSError("InvalidRequest", "The copy source is not an object version that can be copied.")
            case _:
                raise COSError("BadGateway", "The copy source could not be measured.")


def _customer_key(context: Context) -> list[tuple[str, str]]:
    """The key of a source that was encrypted with its customer's: COS describes such an object to nobody else."""
    if context.request is None:
        return []
    found = []
    for name in ("algorithm", "key", "key-md5"):
        value = context.request.control(f"copy-source-{_CUSTOMER}{name}")
        if value and value.isascii():
            found.append((f"{_CUSTOMER}{name}", value.decode("ascii")))
    return found


def _read_facts(headers: Mapping[bytes, bytes]) -> Facts:
    length = headers.get(b"content-length", b"")
    if _DIGITS.fullmatch(length) is None:
        raise COSError("BadGateway", "The copy source could not be measured.")
    etag, version = headers.get(b"etag"), headers.get(b"x-cos-version-id")
    return Facts(
        measured=True,
        source_size_bytes=int(length),
        source_etag=_read_etag(etag),
        source_version_id=version.decode("latin-1") if version else None,
    )


def _read_etag(raw: bytes | None) -> str | None:
    """An ETag without its quotes; None when it could not be written back as a condition."""
    match = _ETAG.fullmatch(raw or b"")
    return match[1].decode("ascii") if match is not None else None
