"""The ports as one running gateway: data, admin and, if wanted, sts; started and stopped together."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass

import uvicorn

from gateway.admin.api import api_app
from gateway.admin.app import admin_app
from gateway.admin.crew import Alone, Crew
from gateway.exchange import Handler
from gateway.process.descriptors import connections_possible
from gateway.server.acceptor import SecureServer, SharingServer
from gateway.server.asgi import handler_for
from gateway.server.connections import Connections
from gateway.server.data_protocol import data_protocol
from gateway.server.deadlines import Deadlines
from gateway.server.listeners import Server, bind, listeners
from gateway.server.secure_protocol import secure_protocol
from gateway.server.turns import PublishedConnections, Turn
from gateway.services import Services, open_services
from gateway.settings import Settings
from gateway.sts import SessionEndpoint, sts_app


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that is listening."""

    services: Services
    data_host: str
    data_port: int
    admin_host: str
    admin_port: int
    sts_host: str
    sts_port: int | None
    """None: no temporary keys are issued."""

    @property
    def endpoint(self) -> str:
        return _url(self._scheme, self.data_host, self.data_port)

    @property
    def admin_endpoint(self) -> str:
        return _url("http", self.admin_host, self.admin_port)

    @property
    def sts_endpoint(self) -> str | None:
        return _url(self._scheme, self.sts_host, self.sts_port) if self.sts_port is not None else None

    @property
    def _scheme(self) -> str:
        return self.services.settings.tls.scheme


@dataclass(frozen=True, slots=True)
class Listening:
    """The sockets of the ports, bound and listening. None: the port is another process's, or there is none."""

    data: socket.socket
    admin: socket.socket | None
    sts: socket.socket | None


@contextmanager
def listening(settings: Settings) -> Iterator[Listening]:
    """Take the ports of the settings while the context lasts. Raises PortTaken, and OSError for a wrong address."""
    with ExitStack() as stack:
        data = stack.enter_context(closing(bind(settings.data.host, settings.data.port)))
        admin = stack.enter_context(closing(bind(settings.admin.host, settings.admin.port)))
        sts = None
        if settings.sts.port is not None:
            sts = stack.enter_context(closing(bind(settings.sts.host, settings.sts.port)))
        yield Listening(data, admin, sts)


def described(settings: Settings, sockets: Listening) -> str:
    """Where each port is, for people."""
    scheme = settings.tls.scheme
    named = [("admin", "http", settings.admin.host, sockets.admin), ("sts", scheme, settings.sts.host, sockets.sts)]
    others = [f"{name} {_url(how, host, port_of(found))}" for name, how, host, found in named if found is not None]
    return f"{_url(scheme, settings.data.host, port_of(sockets.data))} ({', '.join(others)})"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Gateway]:
    """Start the ports; on leaving, stop accepting, let requests in flight finish, and close everything.

    Raises PortTaken, PortError and what `open_services` raises; then nothing has been started.
    """
    with listening(settings) as sockets:
        async with serving(settings, sockets) as services:
            yield Gateway(
                services=services,
                data_host=settings.data.host,
                data_port=port_of(sockets.data),
                admin_host=settings.admin.host,
                admin_port=port_of(sockets.admin) if sockets.admin is not None else 0,
                sts_host=settings.sts.host,
                sts_port=port_of(sockets.sts) if sockets.sts is not None else None,
            )


@asynccontextmanager
async def serving(
    settings: Settings,
    sockets: Listening,
    *,
    crew_of: Callable[[Services], Crew] = Alone,
    turn: Turn | None = None,
) -> AsyncIterator[Services]:
    """Serve on sockets that are listening; they are closed when it ends.

    `crew_of` tells which processes are the gateway, `turn` takes turns with those that listen on the same data port.

    On leaving, stop accepting, let requests in flight finish, and close everything. Raises what `open_services` raises.
    """
    # What concerns the whole gateway is said by the process that has the admin port.
    async with open_services(settings, notices=sockets.admin is not None) as services:
        data = _data_server(settings, services, turn)
        plain = services.certificate is None and turn is None
        data_listeners = listeners(sockets.data) if plain else [sockets.data]
        servers, tasks = [data], [asyncio.create_task(data.serve(sockets=data_listeners))]
        if sockets.sts is not None:
            sts = _sts_server(settings, services)
            servers.append(sts)
            tasks.append(asyncio.create_task(sts.serve(sockets=[sockets.sts])))
        answering = list(servers)
        if sockets.admin is not None:
            admin = Server(_admin_config(services, crew_of(services)))
            servers.append(admin)
            tasks.append(asyncio.create_task(admin.serve(sockets=[sockets.admin])))
        try:
            await _started(servers, tasks)
            services.accepting = True
            yield services
        finally:
            # Not ready first, so that a load balancer stops sending; the admin port closes last.
            services.accepting = False
            for server in answering:
                server.should_exit = True
            await asyncio.wait(tasks[: len(answering)])
            for server in servers:
                server.should_exit = True
            await asyncio.wait(tasks)


def _data_server(settings: Settings, services: Services, turn: Turn | None) -> Server:
    possible = connections_possible(settings.data.max_connections)
    # Every request of the data port goes to the pipeline; there is no route to forget it on.
    return _server(services.pipeline.handle, settings, services, max_connections=possible, turn=turn)


def _sts_server(settings: Settings, services: Services) -> Server:
    sessions = services.sessions
    endpoint = SessionEndpoint(
        keys=services.keys,
        authenticator=sessions.authenticator,
        desk=sessions.desk,
        providers=sessions.providers,
        audit=services.audit,
        territories=sessions.territories,
    )
    # Its callers are the data port's: the same deadlines and certificate, and connections of its own.
    handler = handler_for(sts_app(endpoint), scheme=settings.tls.scheme)
    return _server(handler, settings, services, max_connections=settings.data.max_connections)


def _server(
    handler: Handler,
    settings: Settings,
    services: Services,
    *,
    max_connections: int,
    turn: Turn | None = None,
) -> Server:
    """A server that calls the handler for each request, over TLS if there is a certificate."""
    deadlines = Deadlines(
        head_seconds=settings.data.header_timeout_seconds,
        body_idle_seconds=settings.data.body_idle_timeout_seconds,
        keepalive_seconds=settings.data.keepalive_seconds,
        min_upload_bytes_per_second=settings.data.min_upload_bytes_per_second,
    )
    per_address = settings.data.max_connections_per_address
    connections = (
        Connections(max_connections=max_connections, max_per_address=per_address)
        if turn is None
        else PublishedConnections(max_connections=max_connections, max_per_address=per_address, turn=turn)
    )
    speaks = data_protocol if services.certificate is None else secure_protocol
    config = uvicorn.Config(
        handler,
        http=speaks(deadlines, connections),
        loop="none",
        lifespan="off",
        ws="none",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.data.drain_seconds),
        backlog=2048,
    )
    if services.certificate is not None:
        return SecureServer(config, services.certificate, connections=connections, deadlines=deadlines, turn=turn)
    return Server(config) if turn is None else SharingServer(config, turn)


def _admin_config(services: Services, crew: Crew) -> uvicorn.Config:
    return uvicorn.Config(
        admin_app(crew=crew, api=api_app(services, crew)),
        loop="none",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # The client's address is the connection's: failed tokens are counted by it.
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )


async def _started(servers: list[Server], tasks: list[asyncio.Task[None]]) -> None:
    while not all(server.started for server in servers):
        for task in tasks:
            if task.done():
                await task
        await asyncio.sleep(0.005)


def port_of(listener: socket.socket) -> int:
    """The port a socket listens on."""
    return int(listener.getsockname()[1])


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
