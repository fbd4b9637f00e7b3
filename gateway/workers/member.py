"""One worker: a whole gateway on a shared data port; the first has the admin and the sts port as well."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping

from gateway.app import Listening, serving
from gateway.process.garbage import settle
from gateway.server.turns import Turn, Turns
from gateway.services import Services
from gateway.settings import Settings
from gateway.workers.crew import FIRST, Together, answer
from gateway.workers.questions import Answering, Channel
from gateway.workers.share import settings_of_worker
from gateway.workers.supervisor import SIGNALS, Seat


async def serve_as_worker(
    settings: Settings, seat: Seat, sockets: Listening, channels: Mapping[int, Channel], turns: Turns
) -> None:
    """Serve until the supervisor says so, or is gone; then drain. Raises what `gateway.app.serving` raises.

    `channels` are those of every worker but the first.
    """
    own = settings_of_worker(settings, seat.number)
    if seat.number != FIRST:
        for other in (sockets.admin, sockets.sts):
            if other is not None:
                other.close()
        sockets = Listening(sockets.data, None, None)
    crew: list[Together] = []

    def gathered(services: Services) -> Together:
        crew.append(Together(services, channels, anew=seat.again))
        return crew[0]

    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def orphaned() -> None:
        loop.remove_reader(seat.lifeline)
        stop.set()

    loop.add_reader(seat.lifeline, orphaned)
    async with serving(own, sockets, crew_of=gathered, turn=Turn(turns, seat.number)) as services:
        answering = None
        if seat.number != FIRST:
            answering = Answering(channels[seat.number], lambda question: answer(services, question))
        elif seat.again:
            # From here on the sums grow again.
            await crew[0].metrics()
        _handle_signals(stop, services)
        settle()
        os.write(seat.ready, b"\n")
        os.close(seat.ready)
        await stop.wait()
        if answering is not None:
            answering.close()
    loop.remove_reader(seat.lifeline)


def _handle_signals(stop: asyncio.Event, services: Services) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, services.reload_soon, "signal")
    # What came while it started comes now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
