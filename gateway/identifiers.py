"""Request, trace and decision ids.

A request id is base64 of `<hex Unix time>_<hex>_<hex>_<hex>`, the shape of COS's own (reference page §6.1).
"""

from __future__ import annotations

import os
import re
import time
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Iterator
from itertools import count

_DECISION_ID = re.compile(r"d-[0-9a-f]{20}", re.ASCII)
_REQUEST_ID = re.compile(rb"([0-9a-f]{8})_", re.ASCII)


def _new_process() -> None:
    """Begin the ids of this process; a forked one must not go on with its parent's."""
    global _process, _next, _drawn
    _process = b"%x_%x" % (os.getpid(), int.from_bytes(os.urandom(4)))
    _next = count(int.from_bytes(os.urandom(3)))
    _drawn = iter(())


_process: bytes
_next: count[int]
_drawn: Iterator[str]
"""Random bits that no decision has got yet: the kernel is asked for those of many at once."""
_new_process()
os.register_at_fork(after_in_child=_new_process)


def new_request_id() -> str:
    """Unique per process and counter; not a secret."""
    text = b"%x_%b_%x" % (int(time.time()), _process, next(_next))
    return b2a_base64(text, newline=False).decode("ascii")


def new_decision_id() -> str:
    """`d-` and 20 hexadecimal digits: the time, then 48 random bits. Finds the audit line of a decision."""
    global _drawn
    bits = next(_drawn, "")
    if not bits:
        _drawn = iter(os.urandom(6 * 256).hex(":", 6).split(":"))
        bits = next(_drawn)
    return f"d-{int(time.time()):08x}{bits}"


def new_trace_id(request_id: str) -> str:
    """A trace id in COS's shape (base64 of a long hexadecimal text), derived from the request id."""
    return b2a_base64(request_id.encode("ascii").hex().encode("ascii"), newline=False).decode("ascii")


def time_of_id(identifier: str) -> int | None:
    """When a decision or a request began, in Unix seconds, as its id says; None when it says no such thing.

    Also of COS's own request ids, by COS's clock. Anybody can make up an id: use it to know where to look first.
    """
    if _DECISION_ID.fullmatch(identifier) is not None:
        return int(identifier[2:10], 16)
    try:
        text = b64decode(identifier.encode("ascii"), validate=True)
    except ValueError:
        return None
    found = _REQUEST_ID.match(text)
    return int(found[1], 16) if found is not None else None
