"""Who may reach the admin API at all: its host names, its origins, and how often a token may be guessed.

The API takes no cookie, so a web page has no authority to borrow. These checks also keep a page that was made to
resolve to this address (DNS rebinding) from reading answers or guessing tokens.

Source: threat model C20.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from gateway.admin.problems import Kind, Refused

MAX_FAILURES = 20
"""Failed tokens from one address before it has to wait."""
SECONDS_PER_FAILURE = 3.0
"""How long until one of them is forgiven."""
MAX_ADDRESSES = 4096


def check_host(host: str, listed: Iterable[str]) -> None:
    """Raises Refused unless the Host is an address, localhost, or one of the `listed` names (lower-case)."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        urlsplit(f"//{host}").port  # noqa: B018  # raises for a port that is none
    except ValueError:
        raise Refused(Kind.INVALID_REQUEST, "Expected one Host of the form name[:port].") from None
    if name == "localhost" or name in listed or _is_address(name):
        return
    raise Refused(Kind.MISDIRECTED, "Expected an address, localhost or a name in the setting admin.hosts as Host.")


def check_origin(origin: str | None, host: str) -> None:
    """Raises Refused when a page of another origin asks. Programs send no Origin."""
    if origin is None:
        return
    try:
        parts = urlsplit(origin)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or parts.netloc.lower() != host.lower():
        raise Refused(Kind.FORBIDDEN, "Expected no Origin, or the one of this host.")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class FailedTokens:
    """Counts failed tokens per client address, and forgives them with time. `clock` gives monotonic seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises Refused while an address has failed too often; then its token is not even looked at."""
        waiting = self._count(address) - MAX_FAILURES + 1
        if waiting > 0:
            seconds = max(1, round(waiting * SECONDS_PER_FAILURE))
            detail = f"Too many failed tokens from this address; try again in {seconds} seconds."
            raise Refused(Kind.TOO_MANY_FAILURES, detail, headers={"Retry-After": str(seconds)})

    def note(self, address: str) -> None:
        """Count one failure."""
        self._failures[address] = (self._count(address) + 1, self._clock())
        self._failures.move_to_end(address)
        while len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def _count(self, address: str) -> float:
        count, at = self._failures.get(address, (0.0, 0.0))
        return max(0.0, count - (self._clock() - at) / SECONDS_PER_FAILURE)
