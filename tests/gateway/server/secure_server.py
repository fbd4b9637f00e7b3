"""A server that speaks TLS, with one handler, for tests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn

from gateway.configuration.tls import TlsSettings
from gateway.exchange import Handler
from gateway.server.acceptor import SecureServer
from gateway.server.connections import Connections
from gateway.server.deadlines import Deadlines
from gateway.server.listeners import bind
from gateway.server.secure_protocol import secure_protocol
from gateway.tls.active import Greeting, ServerCertificate
from tests.support.waiting import PATIENCE_SECONDS, until


@dataclass(frozen=True, slots=True)
class Secured:
    """Where it listens, with what, and whom it counts."""

    port: int
    certificate: ServerCertificate
    connections: Connections

    @property
    def greetings(self) -> dict[Greeting, int]:
        return {greeting: count for greeting, count in self.certificate.greetings.items() if count}

    async def connect(self, context: ssl.SSLContext | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection; without a context it is left to the test what is said on it."""
        if context is None:
            return await asyncio.open_connection("127.0.0.1", self.port)
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname="localhost")

    async def settled(self, count: int = 0) -> None:
        """Wait until that many connections are counted."""
        await until(lambda: self.connections.count == count)

    async def ask(self, raw: bytes, context: ssl.SSLContext | None = None) -> bytes:
        """Send bytes, then read until the server closes."""
        reader, writer = await self.connect(context)
        writer.write(raw)
        try:
            return await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        finally:
            writer.close()


@asynccontextmanager
async def securely_serving(
    handler: Handler,
    settings: TlsSettings,
    deadlines: Deadlines,
    connections: Connections | None = None,
    *,
    grace_seconds: int = 20,
) -> AsyncIterator[Secured]:
    """A server on a free port; its certificate is not watched; its requests have `grace_seconds` to end."""

    certificate = ServerCertificate(settings)
    certificate.load()
    counted = connections or Connections(max_connections=100, max_per_address=100)
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(
        handler,
        http=secure_protocol(deadlines, counted),
        loop="none",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=grace_seconds,
    )
    server = SecureServer(config, certificate, connections=counted, deadlines=deadlines)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield Secured(listener.getsockname()[1], certificate, counted)
    finally:
        server.should_exit = True
        await task


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end, however the connection ends."""
    received = b""
    try:
        while piece := await reader.read(65_536):
            received += piece
    except OSError:
        pass
    return received
