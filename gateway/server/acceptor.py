"""Accepting connections that begin with a TLS handshake, and a server that does.

The event loop's own TLS servers tell of a connection when its handshake is over: before that nothing counts it,
and a peer may take a minute for it. Here a connection is counted when it is accepted, must say something and
finish its handshake by one deadline, and costs nothing but its socket until it speaks. Which certificate it is
greeted with is decided then, so that a new one needs no new listener.

Source: threat model C14, C15, C21. Decision: docs/adr/0019-counted-before-the-handshake.md.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from typing import Any, TypeAlias

import structlog
import uvicorn

from cos.errors import COSError
from gateway.server.connections import Admission, Connections
from gateway.server.data_protocol import TURN_AWAY_SECONDS
from gateway.server.deadlines import Deadlines
from gateway.server.listeners import ACCEPTED_PER_TURN, Server
from gateway.server.responses import render_refusal
from gateway.server.secure_protocol import SecureProtocol
from gateway.server.turns import PATIENCE_SECONDS, Turn
from gateway.tls.active import Greeting, ServerCertificate

PAUSE_SECONDS = 0.5
"""How long nothing is accepted when the system has nothing to accept it with."""

_HANDSHAKE_RECORD = b"\x16"
"""The first byte of every ClientHello. Source: RFC 8446, 5.1."""

_log = structlog.get_logger("gateway.server")

Greets: TypeAlias = Callable[[socket.socket, str], Coroutine[Any, Any, None] | None]
"""Takes an accepted connection and its peer's address. What it gives is run until the connection has an owner or is
closed; None: it is closed already."""


class Acceptor:
    """Takes connections from one listening socket. What uvicorn uses of an `asyncio.Server`."""

    def __init__(self, listener: socket.socket, greets: Greets, turn: Turn | None = None) -> None:
        """`turn` tells when other processes that listen on the same socket are to go first."""
        self._listener = listener
        self._greets = greets
        self._turn = turn
        self._loop = asyncio.get_running_loop()
        self._paused: asyncio.TimerHandle | None = None
        self._greetings: set[asyncio.Task[None]] = set()
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Accept nothing more; connections that were not greeted yet are closed."""
        self._stop_accepting()
        for greeting in self._greetings:
            greeting.cancel()

    async def settle(self) -> None:
        """Accept nothing more, and wait until every connection that was accepted has an owner."""
        self._stop_accepting()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until no connection is being greeted."""
        await asyncio.gather(*self._greetings, return_exceptions=True)

    @property
    def greeted(self) -> int:
        """Connections that were accepted and have no owner yet."""
        return len(self._greetings)

    def _stop_accepting(self) -> None:
        if self._paused is not None:
            self._paused.cancel()
        self._loop.remove_reader(self._listener)

    def _accept(self) -> None:
        self._take(self._turn)

    def _take(self, turn: Turn | None) -> None:
        for _ in range(ACCEPTED_PER_TURN):
            if turn is not None and not turn.is_mine(self.greeted):
                self._loop.remove_reader(self._listener)
                self._paused = self._loop.call_later(PATIENCE_SECONDS, self._take_the_rest)
                return
            try:
                accepted, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # No descriptor is left, for one. Who waits keeps its place in the queue.
                _log.error("cannot accept connections", reason=error.strerror, pause_seconds=PAUSE_SECONDS)
                self._loop.remove_reader(self._listener)
                self._paused = self._loop.call_later(PAUSE_SECONDS, self._loop.add_reader, self._listener, self._accept)
                return
            accepted.setblocking(False)
            greeting = self._greets(accepted, peer[0])
            if greeting is not None:
                task = self._loop.create_task(greeting)
                self._greetings.add(task)
                task.add_done_callback(self._greetings.discard)

    def _take_the_rest(self) -> None:
        """The others had their time: what they left is for whoever comes first."""
        self._loop.add_reader(self._listener, self._accept)
        self._take(None)


class AcceptingServer(Server):
    """A server that takes its connections itself. `turn` is for a port that other processes serve as well."""

    def __init__(self, config: uvicorn.Config, turn: Turn | None) -> None:
        super().__init__(config)
        self._turn = turn

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, with an acceptor for each listening socket."""
        await self.lifespan.startup()
        self.servers = [Acceptor(listener, self._greet, self._turn) for listener in sockets or ()]  # type: ignore[misc]  # as used
        self.started = True

    def _greet(self, accepted: socket.socket, address: str) -> Coroutine[Any, Any, None] | None:
        """As `Greets`."""
        raise NotImplementedError

    def _new_protocol(self) -> Any:
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


class SharingServer(AcceptingServer):
    """A server of plain connections on a port that other processes serve as well."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, when no connection is on its way to its protocol: given up, it would never be told its end."""
        for acceptor in self.servers:
            await acceptor.settle()  # type: ignore[attr-defined]  # they are Acceptors
        await super().shutdown(sockets)

    async def _greet(self, accepted: socket.socket, _: str) -> None:
        protocol = self._new_protocol()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, accepted)
        except OSError:
            accepted.close()


class SecureServer(AcceptingServer):
    """A server whose connections begin with a handshake. The `config`'s protocol class is a `SecureProtocol`."""

    def __init__(
        self,
        config: uvicorn.Config,
        certificate: ServerCertificate,
        *,
        connections: Connections,
        deadlines: Deadlines,
        turn: Turn | None = None,
    ) -> None:
        super().__init__(config, turn)
        self._certificate = certificate
        self._connections = connections
        self._deadlines = deadlines
        certificate.trust_changed.append(self._ask_again)

    def _greet(self, accepted: socket.socket, address: str) -> Coroutine[Any, Any, None] | None:
        admission = self._connections.enter(address)
        if admission is Admission.DROPPED:
            accepted.close()
            return None
        return self._greet_admitted(accepted, address, admission)

    async def _greet_admitted(self, accepted: socket.socket, address: str, admission: Admission) -> None:
        welcome = admission is Admission.WELCOME
        protocol: SecureProtocol | None = None
        result = Greeting.FAILED
        try:
            async with asyncio.timeout(self._deadlines.head_seconds if welcome else TURN_AWAY_SECONDS):
                first = await _first_byte(accepted)
                if first == _HANDSHAKE_RECORD:
                    protocol = self._admitted_protocol(admission)
                    result = await self._secure(accepted, protocol)
                else:
                    with closing(accepted):
                        result = await _answer_plain(accepted) if first else Greeting.GONE
        except TimeoutError:
            result = Greeting.TIMEOUT
        except OSError:
            # A handshake that failed, for whatever reason. Nobody can fill the log with them: they are counted.
            result = Greeting.FAILED
        finally:
            self._certificate.greetings[result] += 1
            if protocol is None or not protocol.made:
                self._connections.leave(address, admission)

    def _admitted_protocol(self, admission: Admission) -> SecureProtocol:
        protocol: SecureProtocol = self._new_protocol()
        protocol.admission = admission
        return protocol

    async def _secure(self, accepted: socket.socket, protocol: SecureProtocol) -> Greeting:
        """Make a connection the protocol's once its handshake is over. Raises OSError; then it is closed."""
        believed = self._certificate.material
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: protocol,
            accepted,
            ssl=believed.context,
            # Our own deadlines come first, for both.
            ssl_handshake_timeout=self._deadlines.head_seconds + 5,
            ssl_shutdown_timeout=self._deadlines.body_idle_seconds + self._deadlines.linger_seconds,
        )
        if not protocol.made:
            return Greeting.GONE
        if believed.trust != self._certificate.material.trust:
            protocol.prove_again()
        return Greeting.DONE

    def _ask_again(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, SecureProtocol):
                connection.prove_again()


async def _first_byte(accepted: socket.socket) -> bytes:
    """The first byte a client sends, which is left where it is; nothing when it leaves instead.

    Raises OSError; then, and when it is cancelled, the connection is closed.
    """
    loop = asyncio.get_running_loop()
    spoke = asyncio.Event()
    loop.add_reader(accepted, spoke.set)
    try:
        try:
            await spoke.wait()
        finally:
            loop.remove_reader(accepted)
        return accepted.recv(1, socket.MSG_PEEK)
    except BaseException:
        accepted.close()
        raise


async def _answer_plain(accepted: socket.socket) -> Greeting:
    """Tell a client that speaks plain HTTP what is expected, and read on for a while so that it learns of it."""
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        async with asyncio.timeout(TURN_AWAY_SECONDS):
            await loop.sock_sendall(accepted, render_refusal(COSError("BadRequest", "Expected https on this port.")))
            accepted.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(accepted, 64 * 1024):
                pass
    return Greeting.PLAIN
