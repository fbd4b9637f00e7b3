"""From an origin to an open connection: names to addresses, the guard on addresses, TCP, TLS.

The guard looks at the address that is connected to, after resolution, so a name that answers differently the
second time gains nothing.

Source: threat model C10 (endpoints), C21 (TLS).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from gateway.ports import UpstreamUnreachable
from gateway.upstreams.connection import Connection
from gateway.upstreams.departures import Departures
from gateway.upstreams.pool import Origin
from gateway.upstreams.tls import Buffers, TlsLayer

_NAT64 = IPv6Network("64:ff9b::/96")


class Connector:
    """Opens connections. `guarded` refuses addresses that are not global."""

    def __init__(self, *, tls: ssl.SSLContext, guarded: bool) -> None:
        self._tls = tls
        self._guarded = guarded
        self._departures = Departures()
        self._tls_buffers = Buffers.new()

    async def connect(
        self, origin: Origin, on_lost: Callable[[Connection], None], connect_seconds: float
    ) -> Connection:
        """Open a connection within `connect_seconds`, DNS and TLS included. Raises UpstreamUnreachable."""
        try:
            async with asyncio.timeout(connect_seconds):
                return await self._connect(origin, on_lost)
        except TimeoutError as exc:
            text = f"Waited {connect_seconds:g} s for a connection to {origin.host}:{origin.port}."
            raise UpstreamUnreachable(text, sent=False) from exc
        except ssl.SSLError as exc:
            text = f"TLS with {origin.host}:{origin.port} failed: {exc}."
            raise UpstreamUnreachable(text, sent=False) from exc
        except (OSError, UnicodeError) as exc:
            text = f"No connection to {origin.host}:{origin.port}: {exc}."
            raise UpstreamUnreachable(text, sent=False) from exc

    async def _connect(self, origin: Origin, on_lost: Callable[[Connection], None]) -> Connection:
        loop = asyncio.get_running_loop()
        addresses = await resolve(origin.host, origin.port, guarded=self._guarded)
        failure: OSError | None = None
        for address in addresses:
            connection = Connection(on_lost, self._departures)
            try:
                if origin.server_name is None:
                    await loop.create_connection(_give(connection), address, origin.port)
                else:
                    layer = TlsLayer(connection, self._tls, origin.server_name, self._tls_buffers)
                    await loop.create_connection(_give(layer), address, origin.port)
                    await layer.open()
            except OSError as exc:
                failure = exc
            else:
                return connection
        if failure is None:
            raise OSError("no address to connect to")
        raise failure


def _give(protocol: asyncio.Protocol) -> Callable[[], asyncio.Protocol]:
    return lambda: protocol


async def resolve(host: str, port: int, *, guarded: bool) -> list[str]:
    """The addresses of a host, best first; only global ones when guarded. Raises OSError when none is left."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(sockaddr[0]) for *_, sockaddr in found]
    if guarded:
        addresses = [address for address in addresses if is_global_address(address)]
    if not addresses:
        raise OSError("the name has no global address (allow_private permits others)")
    return addresses


def is_global_address(text: str) -> bool:
    """Whether an address is reachable from everywhere; addresses that carry an IPv4 address count as that one."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            address = IPv4Address(int(address) & 0xFFFFFFFF)
        else:
            address = address.ipv4_mapped or address.sixtofour or address
    return address.is_global and not address.is_multicast
