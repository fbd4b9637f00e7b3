"""A supervisor without a gateway, as a program: `python supervised.py CASE`. Its log is on standard error."""

from __future__ import annotations

import os
import signal
import sys
import time

from gateway.telemetry import configure_logging
from gateway.workers.supervisor import SIGNALS, Seat, Supervisor


def wait_for_term() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    signal.sigwait({signal.SIGTERM})


def ends_soon(seat: Seat) -> int:
    """The second worker serves and ends at once, again and again."""
    os.write(seat.ready, b"\n")
    if seat.number == 2:
        return 7
    wait_for_term()
    return 0


def ignores_term(seat: Seat) -> int:
    os.write(seat.ready, b"\n")
    while True:
        time.sleep(60)


def ends_badly(seat: Seat) -> int:
    os.write(seat.ready, b"\n")
    wait_for_term()
    return 3 if seat.number == 2 else 0


def raises(seat: Seat) -> int:
    raise ValueError("a worker's own mistake")


def main() -> None:
    configure_logging(level="info", json=True)
    work = {"ends_soon": ends_soon, "ignores_term": ignores_term, "ends_badly": ends_badly, "raises": raises}
    supervisor = Supervisor(
        2,
        work[sys.argv[1]],
        grace_seconds=1.0,
        serving=lambda: print("serving", flush=True),
        stopping=lambda: print("stopping", flush=True),
        ended=lambda number: print(f"ended {number}", flush=True),
    )
    sys.exit(supervisor.run())


if __name__ == "__main__":
    main()
