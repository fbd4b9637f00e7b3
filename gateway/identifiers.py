"""Request, trace and decision ids.

A request id is base64 of `<hex Unix time>_<hex>_<hex>_<hex>`, the shape of COS's own (reference page §6.1).
"""

from __future__ import annotations

import os
import re
import time
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, product

_DECISION_ID = re.compile(r"d-[0-9a-f]{20}", re.ASCII)
_REQUEST_ID = re.compile(rb"([0-9a-f]{8})_", re.ASCII)


def _base64(text: bytes) -> str:
    return b2a_base64(text, newline=False).decode("ascii")


_DIGITS = [_base64(b"%03x" % number) for number in range(256)]
"""Three bytes are four characters: of a text of such pieces each can be encoded alone."""


def _new_process() -> None:
    """Begin the ids of this process; a forked one must not go on with its parent's."""
    global _block, _endings, _drawn
    _block = int.from_bytes(os.urandom(4))
    _endings = chain.from_iterable(iter(_new_block, None))
    _drawn = chain.from_iterable(iter(_draw, None))


def _new_block() -> Iterable[str]:
    """The endings of as many request ids as have the same third number."""
    global _block
    _block = (_block + 1) % 2**32
    _opening.cache_clear()
    return map("".join, product(_DIGITS, _DIGITS))


def _draw() -> Iterable[str]:
    """Random bits for so many decisions that asking the kernel for them costs each little."""
    return os.urandom(6 * 256).hex(":", 6).split(":")


@lru_cache(maxsize=1)
def _opening(second: int) -> str:
    return _base64(b"%08x_%08x_%08x_" % (second, os.getpid(), _block))


@lru_cache(maxsize=1)
def _decision_opening(second: int) -> str:
    return f"d-{second:08x}"


_block: int
_endings: Iterator[str]
_drawn: Iterator[str]
_new_process()
os.register_at_fork(after_in_child=_new_process)


def new_request_id() -> str:
    """Unique per process and counter; not a secret."""
    # Before its opening: it may be the first of another block.
    ending = next(_endings)
    return _opening(int(time.time())) + ending


def new_decision_id() -> str:
    """`d-` and 20 hexadecimal digits: the time, then 48 random bits. Finds the audit line of a decision."""
    return _decision_opening(int(time.time())) + next(_drawn)


def new_trace_id(request_id: str) -> str:
    """A trace id in COS's shape (base64 of a long hexadecimal text), derived from the request id."""
    return _base64(request_id.encode("ascii").hex().encode("ascii"))


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
