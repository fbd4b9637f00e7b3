"""What an operator chooses about the way to COS. Plain values: reading files and variables happens elsewhere."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class TransportKind(StrEnum):
    """Which HTTP client carries the bytes."""

    NATIVE = "native"
    STOCK = "stock"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Deadlines in seconds, on the monotonic clock.

    `pool` and `connect` bound the way to a connection (DNS and TLS included). `write` is the longest time the
    upstream may take no byte of a request, `response` the longest wait for a whole response head after the
    request was sent, `read` the longest silence inside a response body while somebody waits for it.
    """

    pool_seconds: float = 5.0
    connect_seconds: float = 5.0
    write_seconds: float = 30.0
    response_seconds: float = 60.0
    read_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections one origin may hold. A waiter is a request for which no connection is free yet."""

    max_connections_per_origin: int = 256
    max_waiters_per_origin: int = 1024
    max_idle_seconds: float = 20.0
    """Shorter than the keep-alive of the servers met, so that it is the gateway who closes."""


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Where COS is and how to get there.

    `endpoint` is a fixed `http(s)://host[:port]` for an embedded or private COS; the Host header and the TLS
    server name stay those of the request. None connects to `https://<request.host>`, and then an address that
    is not global (loopback, link-local, private, shared) is refused unless `allow_private`: inside Tencent
    Cloud, COS host names resolve to such addresses. `ca_file` (PEM) replaces the system's certificate store.
    """

    endpoint: str | None = None
    transport: TransportKind = TransportKind.NATIVE
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: PoolLimits = field(default_factory=PoolLimits)
    ca_file: Path | None = None
    allow_private: bool = False


def tls_context(settings: UpstreamSettings) -> ssl.SSLContext:
    """A verifying client context: TLS 1.2 or newer, HTTP/1.1 only. Raises OSError when `ca_file` is unusable.

    A server may not ask for a second handshake in the middle of an exchange (TLS 1.2): nothing would be written
    until it is over.
    """
    if settings.endpoint is not None and settings.endpoint.startswith("http:"):
        # Never used; reading the system's store costs tens of milliseconds. An empty store trusts nobody.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.create_default_context(cafile=settings.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context
