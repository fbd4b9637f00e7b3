"""Libraries that others import only because they happen to be installed, and that a server has no use for.

structlog and httpx import rich and pygments, which show tracebacks and pages in colours: some 5 MiB of memory, for
the life of the process.
"""

from __future__ import annotations

import sys


def leave_out(*names: str) -> None:
    """Have imports of these modules fail from now on, as if they were not installed; not of those that are in use.

    Source: Python's import system, "The module cache": None in `sys.modules` makes an import raise ModuleNotFoundError.
    """
    for name in names:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # as documented
