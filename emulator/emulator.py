"""The emulator itself: one request in, one response out, top to bottom in `answer`.

It knows nothing of sockets: `app` speaks ASGI and applies the faults that need a connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from cos.address import Domains, parse_address
from cos.calls import PutObjectCopy, UploadPartCopy, read_call
from cos.errors import COSError
from cos.operations import find_operation
from cos.request import Dialect, Request, read_request
from cos.signing import read_claim
from cos.xml import render_error
from emulator.authentication import Accounts
from emulator.body import Receive, RequestBody
from emulator.completing import KeepAlive, complete_multipart_upload
from emulator.cors import origin_headers
from emulator.dates import http_date
from emulator.exchange import Exchange, Refusal, Response
from emulator.faults import Action, Delay, ErrorInside200, Faults, Refuse
from emulator.identifiers import VersionIds, new_request_id, new_trace_id
from emulator.reading import Digests
from emulator.request_log import LogEntry, RequestLog
from emulator.routes import COMPLETE, HANDLERS
from emulator.seed import seed
from emulator.settings import EmulatorSettings
from emulator.store import MemoryStore, Store

UNSIGNED_OPERATIONS = frozenset({"OptionsObject", "OptionsBucket"})
"""What browsers send without a signature."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response and, if one is due, the fault to apply while sending it."""

    response: Response
    fault: Action | None


class Emulator:
    """Accounts, a store, faults and a log. `clock` returns Unix seconds."""

    def __init__(
        self,
        settings: EmulatorSettings,
        store: Store | None = None,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.store: Store = store if store is not None else MemoryStore()
        self.faults = faults if faults is not None else Faults(settings.faults)
        self.log = RequestLog(settings.request_log)
        self._clock = clock
        self._digests = Digests(self.store)
        self._domains = Domains(settings.domains)
        self._accounts = Accounts(settings.accounts, max_skew_seconds=settings.max_skew_seconds)
        self._version_ids = VersionIds()
        self._keep_alive = KeepAlive(settings.complete_seconds, settings.keepalive_seconds)

    async def open(self) -> None:
        """Create the buckets and objects of the settings that do not exist yet."""
        await seed(self.store, self.settings, now=self._clock(), new_version_id=self._new_version_id)

    async def close(self) -> None:
        """Close the store and the log file."""
        self.log.close()
        await self.store.close()

    async def answer(
        self, method: str, raw_target: bytes, raw_headers: Iterable[tuple[bytes, bytes]], receive: Receive
    ) -> Answer:
        """Answer one request; never raises COSError."""
        now = self._clock()
        progress = _Progress(new_request_id(now), method, now)
        fault: Action | None = None
        try:
            # 1. Freeze the request, find out what it addresses and asks for.
            request = read_request(method, raw_target, raw_headers)
            progress.read(request)
            address = parse_address(request.host, request.target.path, self._domains)
            operation = find_operation(request, address.level)
            progress.addressed(operation.name, address.bucket or "", address.key or "")
            # 2. A signature, right and in time.
            caller = None
            if operation.name not in UNSIGNED_OPERATIONS:
                claim = read_claim(request)
                progress.claimed(claim.access_key_id)
                caller = self._accounts.authenticate(request, claim, now)
            call = read_call(request, address, operation, self._domains)
            exchange = Exchange(
                request=request,
                address=address,
                operation=operation,
                call=call,
                caller=caller,
                body=RequestBody(request.headers, receive),
                store=self.store,
                digests=self._digests,
                now=now,
                new_version_id=self._new_version_id,
            )
            # 3. What goes wrong on purpose.
            fault = self.faults.take(operation.name, address.bucket or "", address.key or "")
            # 4. The work.
            response = await self._perform(exchange, progress, fault)
        except COSError as error:
            response = progress.failure(error)
        response.headers.extend(await self._origin_headers(progress))
        response.headers.extend(progress.common_headers())
        self.log.add(replace(progress.entry, status=response.status))
        return Answer(response, fault)

    async def _perform(self, exchange: Exchange, progress: _Progress, fault: Action | None) -> Response:
        if isinstance(exchange.call, PutObjectCopy | UploadPartCopy):
            progress.copies((exchange.request.control("copy-source") or b"").decode("utf-8", "replace"))
        match fault:
            case Delay(seconds):
                await asyncio.sleep(seconds)
            case Refuse(code, message):
                raise COSError(code, message or None)
            case ErrorInside200(code, message):
                document = progress.failure_document(COSError(code, message or None))
                return Response(200, [("content-type", "application/xml")], document)
        if exchange.operation.name == COMPLETE:
            return await complete_multipart_upload(exchange, self._keep_alive, progress.failure_document)
        return await HANDLERS[exchange.operation.name](exchange)

    async def _origin_headers(self, progress: _Progress) -> list[tuple[str, str]]:
        """A page must be allowed to read even a refusal."""
        request, bucket = progress.request, progress.entry.bucket
        if request is None or not bucket or b"origin" not in request.headers:
            return []
        try:
            return await origin_headers(self.store, bucket, request)
        except COSError:
            # Rules that cannot be read allow nothing.
            return []

    def _new_version_id(self) -> str:
        return self._version_ids.new(self._clock())


class _Progress:
    """What is known of a request so far: for its log entry and, if it fails, its error document."""

    def __init__(self, request_id: str, method: str, now: float) -> None:
        self.entry = LogEntry(time=now, request_id=request_id, method=method, host="")
        self.request: Request | None = None
        self._resource = "/"
        self._dialect = Dialect.COS
        self._trace_id = ""

    def read(self, request: Request) -> None:
        self.request = request
        self._dialect = request.dialect
        self._resource = request.host + request.target.raw.decode("ascii").partition("?")[0]
        self.entry = replace(self.entry, host=request.host)

    def addressed(self, operation: str, bucket: str, key: str) -> None:
        self.entry = replace(self.entry, operation=operation, bucket=bucket, key=key)

    def claimed(self, access_key_id: str) -> None:
        self.entry = replace(self.entry, access_key_id=access_key_id)

    def copies(self, source: str) -> None:
        self.entry = replace(self.entry, copy_source=source)

    def failure_document(self, error: COSError) -> bytes:
        """The error's document; the log and the headers then know of it."""
        self._trace_id = new_trace_id()
        self.entry = replace(self.entry, error_code=error.code)
        return render_error(
            error.code, error.message, self._resource, self.entry.request_id, self._trace_id, error.details
        )

    def failure(self, error: COSError) -> Response:
        document = self.failure_document(error)
        headers = list(error.headers) if isinstance(error, Refusal) else []
        if self.entry.method == "HEAD":
            return Response(error.status, headers)
        return Response(error.status, [("content-type", "application/xml"), *headers], document)

    def common_headers(self) -> list[tuple[str, str]]:
        """What every response carries; the trace ID on errors only."""
        headers = [
            ("date", http_date(self.entry.time)),
            ("server", "tencent-cos"),
            ("x-cos-request-id", self.entry.request_id),
        ]
        if self._dialect is Dialect.S3:
            headers.append(("x-amz-request-id", self.entry.request_id))
        if self._trace_id:
            headers.append(("x-cos-trace-id", self._trace_id))
        return headers
