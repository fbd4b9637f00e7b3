"""File descriptors: every connection takes one, and a process that has none left can no longer accept, log or audit.

The soft limit of a shell is often 1,024, far below what a server needs; the hard limit is what the operator allows.
"""

from __future__ import annotations

import resource

KEPT_BACK = 512
"""Descriptors kept for everything but client connections: upstream connections, the store, logs."""


def raise_limit() -> None:
    """Allow this process as many descriptors as the operator's hard limit does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_possible(wanted: int) -> int:
    """How many of the wanted connections the current limit has descriptors for, at least one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - min(KEPT_BACK, soft // 2)))
