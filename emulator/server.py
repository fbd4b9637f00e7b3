"""Running an emulator on a loopback port: in this event loop, in a thread, or until a signal.

uvicorn's HTTP parser and protocol are used without its server class: nothing of it installs signal handlers
or waits for a tick, so that a test starts and stops an emulator in milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from cos.header_names import spell_head
from emulator.app import TRANSPORT_EXTENSION, App, create_app
from emulator.control import create_control_app
from emulator.emulator import Emulator
from emulator.faults import Faults
from emulator.settings import EmulatorSettings
from emulator.store import Store

LOOPBACK = "127.0.0.1"
IDLE_SECONDS = 75
DRAIN_SECONDS = 2.0
"""How long requests in flight may take after the end was asked for."""
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class RunningEmulator:
    """An emulator that listens. `control_port` is None unless one was asked for."""

    emulator: Emulator
    port: int
    control_port: int | None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@contextlib.asynccontextmanager
async def running(
    settings: EmulatorSettings,
    *,
    store: Store | None = None,
    faults: Faults | None = None,
    port: int = 0,
    control_port: int | None = None,
) -> AsyncIterator[RunningEmulator]:
    """An emulator in this event loop; port 0 takes a free one."""
    emulator = Emulator(settings, store=store, faults=faults)
    await emulator.open()
    try:
        async with contextlib.AsyncExitStack() as stack:
            taken = await stack.enter_async_context(listening(create_app(emulator), port))
            taken_control = None
            if control_port is not None:
                taken_control = await stack.enter_async_context(listening(create_control_app(emulator), control_port))
            yield RunningEmulator(emulator, taken, taken_control)
    finally:
        await emulator.close()


@contextlib.contextmanager
def running_in_thread(
    settings: EmulatorSettings,
    *,
    store: Store | None = None,
    faults: Faults | None = None,
    control_port: int | None = None,
) -> Iterator[RunningEmulator]:
    """An emulator in a thread of its own, for clients that block. Raises what starting it raised."""
    started: list[RunningEmulator | BaseException] = []
    ready = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        async with running(settings, store=store, faults=faults, control_port=control_port) as emulator:
            started.append(emulator)
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        except (OSError, ValueError) as error:
            started.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="emulator")
    thread.start()
    try:
        ready.wait(START_SECONDS)
        match started:
            case [RunningEmulator() as emulator]:
                yield emulator
            case [BaseException() as error]:
                raise error
            case _:
                raise TimeoutError(f"expected the emulator to start within {START_SECONDS} seconds")
    finally:
        for loop, stop in loops:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(stop.set)
        thread.join()


def serve(
    settings: EmulatorSettings, *, port: int, control_port: int | None = None, store: Store | None = None
) -> None:
    """Run an emulator until SIGINT or SIGTERM."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with running(settings, store=store, port=port, control_port=control_port):
            await stop.wait()

    asyncio.run(main())


@contextlib.asynccontextmanager
async def listening(app: App, port: int) -> AsyncIterator[int]:
    """Serve an ASGI application on a loopback port and yield the port."""
    config = uvicorn.Config(
        cast("Any", app),  # uvicorn's own types for the same protocol
        http=_Protocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Protocol(config=config, server_state=state, app_state={}), LOOPBACK, port, backlog=2048
    )
    bound: socket.socket = server.sockets[0]
    try:
        yield int(bound.getsockname()[1])
    finally:
        server.close()
        await _drain(state)
        await server.wait_closed()


async def _drain(state: ServerState) -> None:
    """Let requests in flight end, then cut the connections that are left."""
    for connection in list(state.connections):
        cast("_Protocol", connection).shutdown()
    if state.tasks:
        await asyncio.wait(list(state.tasks), timeout=DRAIN_SECONDS)
    for connection in list(state.connections):
        cast("_Protocol", connection).transport.abort()
    for task in list(state.tasks):
        task.cancel()
    if state.tasks:
        await asyncio.wait(list(state.tasks), timeout=DRAIN_SECONDS)
    # Lost connections are reported by callbacks; let them run before the loop may end.
    await asyncio.sleep(0)


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also tells the application its transport."""

    def on_headers_complete(self) -> None:
        # The application starts in a later turn of the loop, so it finds what is added here.
        super().on_headers_complete()
        scope = cast("dict[str, Any]", self.scope)  # its declared type knows uvicorn's own extensions only
        scope.setdefault("extensions", {})[TRANSPORT_EXTENSION] = self.transport

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.transport = _HeadSpelling(cycle)  # type: ignore[assignment]  # all that a cycle uses of a transport
        super()._start_asgi_task(cycle, app)


class _HeadSpelling:
    """Stands in for a response's transport until the head is written, whose names it spells as COS does.

    uvicorn writes every name in lower case. A `100 Continue` before the head passes as it is; where a client waited for
    one in vain, it will not send its body, and the connection is closed before the next request is taken for it.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._transport = cycle.transport
        self._waiting = cycle.waiting_for_100_continue

    def write(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 100 "):
            self._waiting = False
            self._transport.write(data)
            return
        self._cycle.transport = self._transport
        if self._waiting and self._cycle.more_body and self._cycle.keep_alive:
            self._cycle.keep_alive = False
            status_line, _, fields = data.partition(b"\r\n")
            data = b"%b\r\nconnection: close\r\n%b" % (status_line, fields)
        self._transport.write(spell_head(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
