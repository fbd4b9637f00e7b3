"""What stands in for a socket that is not there, so that nobody needs to ask whether it is."""

from __future__ import annotations

import asyncio


class Gone(asyncio.Transport):
    """The transport of a connection that is not made yet, or lost: nothing can be done with it, safely."""

    def is_closing(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass


GONE = Gone()
