"""From where a request may come.

The address is the one the gateway settled on: the peer's, or what a trusted load balancer reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from policies.decision import Outcome, Unknown, Violation
from policies.request import AccessRequest
from policies.rule import rule


@dataclass(frozen=True, slots=True)
class Network:
    """A network in CIDR notation."""

    network: IPv4Network | IPv6Network

    @classmethod
    def parse(cls, text: str) -> Self:
        """`10.0.0.0/8`, `2001:db8::/32` or one address. Raises ValueError."""
        try:
            return cls(ip_network(text))
        except ValueError:
            raise ValueError("expected a network such as 10.0.0.0/8, without bits behind the prefix") from None


@rule("networks", shorthand="allow")
@dataclass(frozen=True, slots=True)
class NetworksRule:
    """The caller's address lies in one of the networks."""

    allow: tuple[Network, ...] = field(metadata={"doc": "Networks in CIDR notation, IPv4 or IPv6."})

    def check(self, request: AccessRequest) -> Outcome:
        address = _address_of(request.caller.address)
        if address is None:
            return Unknown(Violation("networks", "the caller's address is unknown"))
        if any(address in item.network for item in self.allow):
            return None
        return Violation("networks", f"a request from {address} is outside the allowed networks")


def _address_of(text: str | None) -> IPv4Address | IPv6Address | None:
    if text is None:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A dual-stack socket reports IPv4 peers as ::ffff:10.0.0.1; they are meant by IPv4 networks.
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
