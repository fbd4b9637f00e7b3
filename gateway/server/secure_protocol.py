"""The data port's HTTP over TLS: what differs once a connection has been encrypted.

It is counted before its handshake (`gateway.server.acceptor`), it may come with a client certificate, and it ends
otherwise: TLS has no half-close, so a goodbye is sent and what the client still sends is read and thrown away by
the transport.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from gateway.client_certificates import read_client_certificate
from gateway.server.connections import Admission, Connections
from gateway.server.data_protocol import DataProtocol
from gateway.server.deadlines import Deadlines
from gateway.server.starts import Starts

MAX_BUFFER_BYTES = 64 * 1024
"""Bytes a connection keeps each way before it waits; event loops keep up to 512 KiB by themselves."""
GOODBYE_SECONDS = 0.05
"""How often a connection that ends is looked at: has everything arrived?"""


def secure_protocol(deadlines: Deadlines, connections: Connections) -> type[SecureProtocol]:
    """A protocol class for `SecureServer` with these deadlines. `connections` have counted what it is given."""
    shared = {"__slots__": (), "deadlines": deadlines, "starts": Starts(), "all_connections": connections}
    return type("SecureProtocol", (SecureProtocol,), shared)


class SecureProtocol(DataProtocol):
    """Made for a connection that was admitted; set `admission` before its handshake."""

    __slots__ = ("admission", "made")

    def __init__(self, config: uvicorn.Config, server_state: ServerState, **given: Any) -> None:
        super().__init__(config, server_state, **given)
        self.admission = Admission.DROPPED
        # Whether the handshake is over: from then on the place among the connections is given back here.
        self.made = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in DataProtocol
        transport.set_write_buffer_limits(high=MAX_BUFFER_BYTES)
        transport.set_read_buffer_limits(high=MAX_BUFFER_BYTES)  # type: ignore[attr-defined]  # of TLS transports only
        super().connection_made(transport)
        self.made = True
        der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if der is not None:
            try:
                self.certificate = read_client_certificate(der)
            except ValueError:
                self._deaf = True
                transport.abort()

    def _enter(self) -> Admission:
        return self.admission

    def close_gently(self) -> None:
        if self._ending or self.transport.is_closing():
            return
        lingers = self._deaf or self._receiving_body
        self._ending = self._deaf = True
        self.flow.resume_reading()
        # Sends what was written, says goodbye, and reads on until the client says it too.
        self.transport.close()
        if lingers:
            self._set_timer("linger", self.deadlines.linger_seconds, self.transport.abort)
        else:
            self._set_timer("linger", self.deadlines.body_idle_seconds, self.transport.abort)
            self._set_timer("goodbye", GOODBYE_SECONDS, self._leave_when_all_arrived)

    def prove_again(self) -> None:
        """Let go of a connection that came with a certificate: it may come again, and is judged anew."""
        if self.certificate is not None:
            self.shutdown()

    def shutdown(self) -> None:
        """The server's wish to end: at once between requests, or after the answer."""
        if self._latest is None:
            self.close_gently()
        else:
            self._latest.keep_alive = False

    def _leave_when_all_arrived(self) -> None:
        """A client that lies idle does not answer a goodbye: once it has everything, it is not waited for."""
        self._clear_timer("goodbye")
        if self.transport.get_write_buffer_size() or unconfirmed_bytes(self.transport):
            self._set_timer("goodbye", GOODBYE_SECONDS, self._leave_when_all_arrived)
        else:
            self.transport.abort()


def unconfirmed_bytes(transport: asyncio.Transport) -> int:
    """Bytes the client's system has not confirmed yet. None on a connection that is lost. Source: tcp(7), SIOCOUTQ."""
    connection: Any = transport.get_extra_info("socket")
    if connection is None:
        # uvloop tells the protocol a turn later that it is lost.
        return 0
    (count,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, struct.pack("i", 0)))
    return int(count)
