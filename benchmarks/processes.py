"""Programs under measurement: started on one core, observed through /proc, stopped by their own process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Program:
    """A running program and its children, pinned to one core or several (`0,1`)."""

    def __init__(
        self, command: Sequence[str], *, core: int | str, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = (folder / f"{Path(command[0]).name}-{core}-{time.monotonic_ns()}.log").open("wb")
        self._popen = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **(environment or {})},
        )

    @property
    def log(self) -> Path:
        return Path(self._log.name)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def children(self) -> list[int]:
        """The processes it started itself."""
        return self._pids()[1:]

    def cpu_seconds(self) -> float:
        """User and system time of all its processes so far."""
        ticks = 0
        for pid in self._pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / _TICKS_PER_SECOND

    def memory_mib(self, field: str = "VmRSS") -> float:
        """Resident memory of all its processes; `VmHWM` for the highest it ever was."""
        kib = 0
        for pid in self._pids():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith(f"{field}:"):
                    kib += int(line.split()[1])
        return kib / 1024

    def stop(self) -> None:
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(20)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._log.close()

    def _pids(self) -> list[int]:
        pid = self._popen.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def wait_for_port(self, port: int, seconds: float = 120.0) -> None:
        """Raises RuntimeError when the program ends or does not listen in time; then it is stopped."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._popen.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self._popen.args!r} does not listen on port {port}:\n{self.log.read_text()[-2000:]}")

    def wait_for_text(self, text: str, seconds: float = 300.0) -> None:
        """Raises RuntimeError when the program ends or does not say so in time; then it is stopped."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._popen.poll() is None:
            if text in self.log.read_text():
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self._popen.args!r} does not say {text!r}:\n{self.log.read_text()[-2000:]}")


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def run(command: Sequence[str], *, core: int, seconds: float) -> str:
    """The standard output of a program that ends by itself. Raises RuntimeError."""
    done = subprocess.run(
        ["taskset", "-c", str(core), *command], capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    return done.stdout
