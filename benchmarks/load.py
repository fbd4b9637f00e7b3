"""Load from wrk: requests played back from a file, one JSON line of results."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import run

_SCRIPT = """
local requests, next_request = {}, 0
function init(args)
  local file = io.open(args[1], "rb")
  for request in file:read("*a"):gmatch("([^%z]+)") do requests[#requests + 1] = request end
  file:close()
end
function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"requests":%d,"microseconds":%d,"errors":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


class BenchmarkFailed(Exception):
    """There were errors: what was measured is not what was meant."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw. Latencies in microseconds."""

    requests: int
    seconds: float
    p50: int
    p99: int

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class Wrk:
    """Plays requests back over keep-alive connections, from one core."""

    def __init__(self, requests: list[bytes], folder: Path, *, core: int) -> None:
        self._core = core
        self._script = folder / "replay.lua"
        self._script.write_text(_SCRIPT)
        self._requests = folder / "requests.bin"
        self._requests.write_bytes(b"\0".join(requests))
        self._first = requests[0]

    def check(self, port: int, expected: bytes) -> None:
        """One request by hand: it must be answered 200 and with what is expected. Raises BenchmarkFailed."""
        answer = b""
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, suppress(ConnectionError):
            connection.sendall(self._first)
            while expected not in answer and (piece := connection.recv(65536)):
                answer += piece
        if not answer.startswith(b"HTTP/1.1 200") or expected not in answer:
            raise BenchmarkFailed(f"port {port} answered {answer[:2000]!r}")

    def measure(self, port: int, *, connections: int, seconds: int, tls: bool = False) -> Load:
        """Raises BenchmarkFailed on any error or status of 400 and above."""
        scheme = "https" if tls else "http"
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(self._script)]
        command += [f"{scheme}://127.0.0.1:{port}", str(self._requests)]
        output = run(command, core=self._core, seconds=seconds + 60)
        found = json.loads(output.rpartition("RESULT ")[2])
        if found["errors"] or not found["requests"]:
            raise BenchmarkFailed(f"{found['errors']} errors in {found['requests']} requests: {output[-800:]}")
        return Load(found["requests"], found["microseconds"] / 1e6, found["p50"], found["p99"])
