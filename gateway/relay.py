"""The answer's way back: status, filtered header fields, body as received. Step 14 of a request.

The upstream is not trusted. Errors that describe *our* signature, redirects, and answers that are not what
the operation answers with become the gateway's own error. A copy or Complete that reports an error inside a
200 becomes a real error status, because SDKs take the 200 for success (reference page §0.4).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import lru_cache
from operator import itemgetter

import structlog

from cos.errors import ERRORS, COSError
from cos.forms import render_form_answer
from cos.headers import FieldNames, field_names
from cos.operations import Operation
from cos.signing import EXPIRED_MESSAGE
from cos.xml import COSErrorDocument, parse_error, read_root_tag, read_whole_root
from gateway.context import Context
from gateway.exchange import Exchange
from gateway.ports import UpstreamBroken, UpstreamResponse

MAX_JUDGED_BYTES = 64 * 1024
"""How much of an error body, or of a copy's result, is held to be judged."""

RESULT_ROOTS = {
    "UploadPartCopy": "CopyPartResult",
    "PutObjectCopy": "CopyObjectResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
}
"""Operations whose 200 may hide an error, and the document a real success carries."""

_log = structlog.get_logger(__name__)
_name_of = itemgetter(0)
_OUR_OWN = frozenset(
    {"SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed", "ExpiredToken", "InvalidToken"}
)
_REQUEST_IDS = (b"x-cos-request-id", b"x-amz-request-id")
_STAYS = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
        b"transfer-encoding", b"upgrade", b"date", b"set-cookie", b"set-cookie2", b"alt-svc",
        b"strict-transport-security", b"location",
    }
)  # fmt: skip


class Relay:
    """Passes an upstream response to the client, or raises the error it really is."""

    def __init__(self, *, hold_seconds: float) -> None:
        self._hold_seconds = hold_seconds

    async def relay(self, context: Context, response: UpstreamResponse, exchange: Exchange) -> None:
        """Send the response and leave in `context` how it went.

        Raises COSError before anything was sent; UpstreamError at any time; ClientGone.
        """
        operation = context.operation
        if operation is None:
            raise ValueError("a response is relayed for a known operation")
        context.upstream_status = response.status
        headers = _filtered(response.headers, context, exchange.request_id)
        if 300 <= response.status < 400 and response.status != 304:
            raise COSError("BadGateway", "The upstream answered with a redirect.")
        if exchange.method == "HEAD" or response.status == 304:
            await self._relay_head(context, response, headers, exchange)
        elif response.status >= 400:
            await self._relay_error(context, response, headers, exchange)
        elif response.status == 200 and operation.name in RESULT_ROOTS:
            await self._relay_result(context, operation, response, headers, exchange)
        elif context.form is not None:
            status, headers, body = render_form_answer(context.form, headers)
            await exchange.answer(status, headers, body)
        else:
            await exchange.start(response.status, headers)
            async for piece in response.stream():
                await exchange.write(piece)
            await exchange.finish()

    async def _relay_head(
        self, context: Context, response: UpstreamResponse, headers: list[tuple[bytes, bytes]], exchange: Exchange
    ) -> None:
        """A response without body. Its error code is not told by COS, only its status."""
        if response.status >= 400:
            context.error_code = f"upstream {response.status}"
        await exchange.answer(response.status, headers)

    async def _relay_error(
        self, context: Context, response: UpstreamResponse, headers: list[tuple[bytes, bytes]], exchange: Exchange
    ) -> None:
        """A COS error is relayed as it is; anything else under an error status becomes our own error."""
        body = await _read_at_most(response.stream(), MAX_JUDGED_BYTES)
        error = parse_error(body) if body is not None else None
        if body is None or error is None:
            raise COSError("ServiceUnavailable" if response.status == 503 else "BadGateway")
        _raise_if_ours(error, context)
        context.error_code = error.code
        await exchange.answer(response.status, _with_length(headers, len(body)), body)

    async def _relay_result(
        self,
        context: Context,
        operation: Operation,
        response: UpstreamResponse,
        headers: list[tuple[bytes, bytes]],
        exchange: Exchange,
    ) -> None:
        """Hold a 200 until its document is whole, then judge it.

        After `hold_seconds` the client must hear something or it gives up: what has come so far (keep-alive
        white space) is relayed, and the rest as it comes. An error can then only be audited.
        """
        if response.whole_body is not None:
            if len(response.whole_body) > MAX_JUDGED_BYTES:
                raise COSError("BadGateway", "The upstream's result is larger than any result is.")
            await self._relay_whole_result(context, operation, response.whole_body.lstrip(), headers, exchange)
            return
        stream = response.stream()
        held = bytearray()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._hold_seconds
        while True:
            next_piece = asyncio.ensure_future(anext(stream, None))
            try:
                done, _ = await asyncio.wait({next_piece}, timeout=max(0.0, deadline - loop.time()))
            except asyncio.CancelledError:
                next_piece.cancel()
                raise
            if not done:
                break
            piece = next_piece.result()
            if piece is None:
                # Keep-alive white space has done its work; before an XML declaration it breaks the Python SDK.
                await self._relay_whole_result(context, operation, bytes(held.lstrip()), headers, exchange)
                return
            held += piece
            if len(held) > MAX_JUDGED_BYTES:
                raise COSError("BadGateway", "The upstream's result is larger than any result is.")
        await exchange.start(200, [field for field in headers if field[0] != b"content-length"])
        await exchange.write(bytes(held))
        try:
            piece = await next_piece
            while piece is not None:
                await exchange.write(piece)
                held += piece[: max(0, MAX_JUDGED_BYTES - len(held))]
                piece = await anext(stream, None)
        finally:
            if not next_piece.done():
                next_piece.cancel()
                with suppress(asyncio.CancelledError):
                    await next_piece
        error = parse_error(bytes(held))
        if error is not None:
            context.error_code = error.code
        elif read_whole_root(bytes(held)) != RESULT_ROOTS[operation.name]:
            raise UpstreamBroken("the result that followed the keep-alive is not a result", sent=True)
        await exchange.finish()

    async def _relay_whole_result(
        self,
        context: Context,
        operation: Operation,
        body: bytes,
        headers: list[tuple[bytes, bytes]],
        exchange: Exchange,
    ) -> None:
        root = read_root_tag(body)
        error = parse_error(body) if root == "Error" else None
        if error is not None:
            _raise_if_ours(error, context)
            spec = ERRORS.get(error.code)
            context.error_code = error.code
            status = spec.status if spec is not None else 500
            await exchange.answer(status, _with_length(headers, len(body)), body)
            return
        if read_whole_root(body) != RESULT_ROOTS[operation.name]:
            raise COSError("BadGateway", f"The upstream's 200 holds no {RESULT_ROOTS[operation.name]}.")
        await exchange.answer(200, _with_length(headers, len(body)), body)


def _raise_if_ours(error: COSErrorDocument, context: Context) -> None:
    """Raises COSError when COS refuses the gateway's own credential or clock: no caller can have caused that."""
    # A signature that has expired the moment it was made: the clock here is behind.
    expired = error.code == "AccessDenied" and EXPIRED_MESSAGE in error.message
    if error.code not in _OUR_OWN and not expired:
        return
    _log.error(
        "upstream_refused_our_credential",
        request_id=context.request_id,
        bucket=context.bucket.name if context.bucket is not None else None,
        code=error.code,
        reason="the clock here is behind" if expired else None,
    )
    raise COSError("ServiceUnavailable", "The upstream refused the gateway's own credential.")


def _filtered(received: list[tuple[bytes, bytes]], context: Context, request_id: str) -> list[tuple[bytes, bytes]]:
    """What of the upstream's fields the client may see, with a request id in any case; the upstream's is noted."""
    known = field_names(tuple(map(_name_of, received)))
    places, identified = _passing(known)
    headers = [received[place] for place in places]
    if identified is not None:
        context.upstream_request_id = received[identified][1].decode("latin-1")
    if b"x-cos-request-id" not in known.distinct:
        headers.append((b"x-cos-request-id", request_id.encode("ascii")))
    return headers


@lru_cache(maxsize=256)
def _passing(known: FieldNames) -> tuple[tuple[int, ...], int | None]:
    """Which fields may pass, and where the upstream's request id is."""
    places = tuple(place for place, name in enumerate(known.names) if name not in _STAYS)
    identified = [place for place, name in enumerate(known.names) if name in _REQUEST_IDS]
    return places, identified[0] if identified else None


def _with_length(headers: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    declared = (b"content-length", b"%d" % length)
    if declared in headers:
        # Once: the transport accepts no other.
        return headers
    return [*[field for field in headers if field[0] != b"content-length"], declared]


async def _read_at_most(stream: AsyncIterator[bytes], max_bytes: int) -> bytes | None:
    """The whole body, or None when it is larger."""
    body = bytearray()
    async for piece in stream:
        body += piece
        if len(body) > max_bytes:
            return None
    return bytes(body)
