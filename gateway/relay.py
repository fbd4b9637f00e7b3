"""The answer's way back: status, filtered header fields, body as received. Step 14 of a request.

The upstream is not trusted. Errors that describe *our* signature, redirects, and answers that are not what
the operation answers with become the gateway's own error. A copy or Complete that reports an error inside a
200 becomes a real error status, because SDKs take the 200 for success (reference page §0.4).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import structlog
from msgspec import Struct

from cos.errors import ERRORS, COSError
from cos.forms import render_form_answer
from cos.headers import AnswerFields, picker
from cos.remembering import remembering
from cos.signing import EXPIRED_MESSAGE
from cos.xml import COSErrorDocument, parse_error, read_plain_root, read_whole_root
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

    def relay(self, context: Context, response: UpstreamResponse, exchange: Exchange) -> Awaitable[None]:
        """Send the response and leave in `context` how it went; it was sent when this was awaited.

        Raises COSError before anything was sent; UpstreamError at any time; ClientGone. So does awaiting it.
        """
        operation = context.operation
        if operation is None:
            raise ValueError("a response is relayed for a known operation")
        status = context.upstream_status = response.status
        received = response.headers
        passing = _passing(received.names)
        values = passing.pick(received.values)
        if passing.identified is not None:
            context.upstream_request_id = received.values[passing.identified].decode("latin-1")
        if passing.lacks_id:
            values = (*values, exchange.request_id.encode("ascii"))
        headers = AnswerFields(passing.names, values)
        if status == 200 and (root := RESULT_ROOTS.get(operation.name)) is not None:
            # None of these is asked with HEAD.
            result = response.whole_body
            if result is None:
                return self._relay_held(context, root, response, headers, exchange)
            if len(result) > MAX_JUDGED_BYTES:
                raise _too_large()
            # Keep-alive white space has done its work; before an XML declaration it breaks the Python SDK.
            result = result.lstrip()
            if read_plain_root(result) != root:
                status = _judged(result, root, context)
            if passing.length is None or values[passing.length] != b"%d" % len(result):
                headers = _with_length(headers, len(result))
            return exchange.answer(status, headers, result)
        if 300 <= status < 400 and status != 304:
            raise COSError("BadGateway", "The upstream answered with a redirect.")
        if exchange.method == "HEAD" or status == 304:
            return self._relay_head(context, response, headers, exchange)
        if status >= 400:
            return self._relay_error(context, response, headers, exchange)
        if context.form is not None:
            return exchange.answer(*render_form_answer(context.form, list(headers)))
        return self._relay_stream(response, headers, exchange)

    async def _relay_stream(self, response: UpstreamResponse, headers: AnswerFields, exchange: Exchange) -> None:
        """Anything else, as it comes."""
        await exchange.start(response.status, headers)
        async for piece in response.stream():
            await exchange.write(piece)
        await exchange.finish()

    async def _relay_held(
        self, context: Context, root: str, response: UpstreamResponse, headers: AnswerFields, exchange: Exchange
    ) -> None:
        """A 200 that may hide an error and did not come whole with its head."""
        result = await self._held_result(context, root, response, headers, exchange)
        if result is not None:
            result = result.lstrip()
            status = _judged(result, root, context)
            await exchange.answer(status, _with_length(headers, len(result)), result)

    async def _relay_head(
        self, context: Context, response: UpstreamResponse, headers: AnswerFields, exchange: Exchange
    ) -> None:
        """A response without body. Its error code is not told by COS, only its status."""
        if response.status >= 400:
            context.error_code = f"upstream {response.status}"
        await exchange.answer(response.status, headers)

    async def _relay_error(
        self, context: Context, response: UpstreamResponse, headers: AnswerFields, exchange: Exchange
    ) -> None:
        """A COS error is relayed as it is; anything else under an error status becomes our own error."""
        body = await _read_at_most(response.stream(), MAX_JUDGED_BYTES)
        error = parse_error(body) if body is not None else None
        if body is None or error is None:
            raise COSError("ServiceUnavailable" if response.status == 503 else "BadGateway")
        _raise_if_ours(error, context)
        context.error_code = error.code
        await exchange.answer(response.status, _with_length(headers, len(body)), body)

    async def _held_result(
        self,
        context: Context,
        root: str,
        response: UpstreamResponse,
        headers: AnswerFields,
        exchange: Exchange,
    ) -> bytes | None:
        """Hold a 200 until its document is whole, to be judged: the document, or None when all of it was relayed.

        After `hold_seconds` the client must hear something or it gives up: what has come so far (keep-alive
        white space) is relayed, and the rest as it comes. An error can then only be audited.
        """
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
                return bytes(held)
            held += piece
            if len(held) > MAX_JUDGED_BYTES:
                raise _too_large()
        await exchange.start(200, _without_length(headers))
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
        elif read_whole_root(bytes(held)) != root:
            raise UpstreamBroken("the result that followed the keep-alive is not a result", sent=True)
        await exchange.finish()
        return None


def _judged(result: bytes, root: str, context: Context) -> int:
    """The status of a document that came with a 200: of an error it is the one that the error should have come with.

    Raises COSError for what is neither.
    """
    error = parse_error(result)
    if error is not None:
        _raise_if_ours(error, context)
        context.error_code = error.code
        spec = ERRORS.get(error.code)
        return spec.status if spec is not None else 500
    if read_whole_root(result) != root:
        raise COSError("BadGateway", f"The upstream's 200 holds no {root}.")
    return 200


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


class _Passing(Struct, frozen=True, gc=False):
    """What the names of an answer's fields say: what of them the client may see, with a request id in any case."""

    names: tuple[bytes, ...]
    """Of the fields that may pass, and of the request id that is added when there is none."""
    pick: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]
    """The values of those that may pass, out of all."""
    identified: int | None
    """Where the upstream's request id is."""
    lacks_id: bool
    """There is none by the name that every client looks for."""
    length: int | None
    """Where among those that may pass the length of the body is."""


@remembering(256)
def _passing(names: tuple[bytes, ...]) -> _Passing:
    places = [place for place, name in enumerate(names) if name not in _STAYS]
    passing = [names[place] for place in places]
    identified = [place for place, name in enumerate(names) if name in _REQUEST_IDS]
    lacks_id = b"x-cos-request-id" not in names
    return _Passing(
        names=(*passing, b"x-cos-request-id") if lacks_id else tuple(passing),
        pick=picker(places),
        identified=identified[0] if identified else None,
        lacks_id=lacks_id,
        length=passing.index(b"content-length") if passing.count(b"content-length") == 1 else None,
    )


def _with_length(headers: AnswerFields, length: int) -> AnswerFields:
    names, declared = headers.names, b"%d" % length
    if names.count(b"content-length") == 1 and headers.values[names.index(b"content-length")] == declared:
        return headers
    return AnswerFields.of([*_without_length(headers), (b"content-length", declared)])


def _without_length(headers: AnswerFields) -> list[tuple[bytes, bytes]]:
    return [field for field in headers if field[0] != b"content-length"]


async def _read_at_most(stream: AsyncIterator[bytes], max_bytes: int) -> bytes | None:
    """The whole body, or None when it is larger."""
    body = bytearray()
    async for piece in stream:
        body += piece
        if len(body) > max_bytes:
            return None
    return bytes(body)


def _too_large() -> COSError:
    return COSError("BadGateway", "The upstream's result is larger than any result is.")
