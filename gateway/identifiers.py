"""Request, trace and decision ids.

A request id is base64 of `<hex Unix time>_<hex>_<hex>_<hex>`, the shape of COS's own (reference page §6.1).
"""

from __future__ import annotations

import os
import time
from base64 import b64encode
from itertools import count


def _new_process() -> None:
    """Begin the ids of this process; a forked one must not go on with its parent's."""
    global _process, _next
    _process = f"{os.getpid():x}_{int.from_bytes(os.urandom(4)):x}"
    _next = count(int.from_bytes(os.urandom(3)))


_process: str
_next: count[int]
_new_process()
os.register_at_fork(after_in_child=_new_process)


def new_request_id() -> str:
    """Unique per process and counter; not a secret."""
    return b64encode(f"{int(time.time()):x}_{_process}_{next(_next):x}".encode("ascii")).decode("ascii")


def new_decision_id() -> str:
    """`d-` and 20 hexadecimal digits: the time, then 48 random bits. Finds the audit line of a decision."""
    return f"d-{int(time.time()):08x}{os.urandom(6).hex()}"


def new_trace_id(request_id: str) -> str:
    """A trace id in COS's shape (base64 of a long hexadecimal text), derived from the request id."""
    return b64encode(request_id.encode("ascii").hex().encode("ascii")).decode("ascii")
