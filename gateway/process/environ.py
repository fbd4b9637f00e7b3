"""Takes secrets out of the environment that /proc/PID/environ shows to whoever may read it.

The kernel put the variables into the process's memory at its start, and shows that memory for as long as the process
lives; removing a variable only makes the C library forget where it is.

Source: threat model C17; proc(5), proc_pid_environ(5).
"""

from __future__ import annotations

import ctypes
import os
import re
import sys

_SECRET = re.compile(r"COSGW_.*|.*(?:SECRET|TOKEN|PASSWORD|MASTER_KEY|ACCESS_KEY).*", re.ASCII)
"""Every setting of ours, and what other programs call their secrets."""


def hide_secret_variables() -> list[str]:
    """Overwrite the values of secret variables where the kernel put them; gives their names.

    `os.environ` keeps its own copy, which the process goes on reading; programs it started would inherit it.
    Call it after the settings were read. Elsewhere than on Linux it does nothing.
    """
    names = [name for name in os.environ if _SECRET.fullmatch(name)]
    if sys.platform != "linux":
        return []
    library = ctypes.CDLL(None)
    library.getenv.restype = ctypes.c_void_p
    library.getenv.argtypes = [ctypes.c_char_p]
    for name in names:
        address = library.getenv(os.fsencode(name))
        if address is not None:
            ctypes.memset(address, 0, len(ctypes.string_at(address)))
    return names
