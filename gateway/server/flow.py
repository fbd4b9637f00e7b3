"""Back pressure on one connection: whether it is read from, and whether its client reads."""

from __future__ import annotations

import asyncio


class Flow:
    """Both directions of one connection. `paused_meanwhile`: whether reading was ever paused since that was reset."""

    __slots__ = ("_drained", "_transport", "paused_meanwhile", "read_paused", "write_paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._drained: asyncio.Event | None = None
        self.read_paused = self.write_paused = self.paused_meanwhile = False

    def pause_reading(self) -> None:
        if not self.read_paused:
            self.read_paused = self.paused_meanwhile = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self.read_paused:
            self.read_paused = False
            self._transport.resume_reading()

    def resume_writing(self) -> None:
        """The client reads again, or there is none any more: whoever waits for it goes on."""
        self.write_paused = False
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.set()

    async def drain(self) -> None:
        """Wait while the client does not read."""
        if self.write_paused:
            if self._drained is None:
                self._drained = asyncio.Event()
            await self._drained.wait()
