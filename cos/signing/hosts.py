"""Which spellings of the Host header a signature may cover.

The Python SDK signs the bare host name while the header carries `:port`; Go, Node and Java sign what they send.
Source: reference page §1.3.7.
"""

from __future__ import annotations

import re

from cos.request import Request

_WITH_PORT = re.compile(rb"(.+):[0-9]{1,5}", re.ASCII | re.DOTALL)


def host_readings(request: Request) -> tuple[bytes, ...]:
    """The Host header as received, then without its port when it has one."""
    received = request.headers.get(b"host") or b""
    bare = bare_host(received)
    return (received,) if bare is None else (received, bare)


def bare_host(received: bytes) -> bytes | None:
    """A Host header without its port; None when it has none."""
    match = _WITH_PORT.fullmatch(received)
    return match[1] if match is not None else None
