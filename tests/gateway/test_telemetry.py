"""Metrics as Prometheus reads them, and the access log's lines."""

from __future__ import annotations

import io
import json
import select

from gateway.access_log import JsonAccessLog
from gateway.limits import InFlight
from gateway.telemetry import Telemetry
from tests.support.fakes import Bench
from tests.support.waiting import until


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


async def test_every_answer_is_counted_by_operation_and_status() -> None:
    bench = Bench()
    await bench.copy_part()
    await bench.copy_part()
    await bench.ask("GET", "/not/allowed")
    telemetry = bench.telemetry
    assert value(telemetry, "cosgw_requests_total", operation="UploadPartCopy", status="200") == 2
    assert value(telemetry, "cosgw_requests_total", operation="GetObject", status="403") == 1
    assert value(telemetry, "cosgw_refusals_total", code="AccessDenied") == 1
    assert value(telemetry, "cosgw_request_seconds_count", operation="UploadPartCopy") == 2
    assert value(telemetry, "cosgw_request_seconds_bucket", operation="UploadPartCopy", le="+Inf") == 2
    assert value(telemetry, "cosgw_request_seconds_bucket", operation="UploadPartCopy", le="300.0") == 2
    assert (value(telemetry, "cosgw_response_body_bytes_total") or 0) > 0


def test_what_is_in_flight_is_read_when_it_is_asked_for() -> None:
    in_flight = InFlight(max_requests=2, max_per_principal=2)
    telemetry = Telemetry(in_flight=in_flight)
    in_flight.admit("team:test")
    assert value(telemetry, "cosgw_in_flight_requests") == 1
    in_flight.leave("team:test")
    assert value(telemetry, "cosgw_in_flight_requests") == 0


async def test_a_json_line_per_request_leaves_soon() -> None:
    stream = io.BytesIO()
    bench = Bench(access_log=JsonAccessLog(stream))
    await bench.copy_part()
    await until(stream.getvalue)
    [line] = stream.getvalue().splitlines()
    written = json.loads(line)
    assert (written["event"], written["level"], written["operation"]) == ("request", "info", "UploadPartCopy")
    assert (written["status"], written["result"]) == (200, "completed")
    assert written["timestamp"].endswith("Z")


async def test_waiting_lines_are_written_when_the_log_is_closed() -> None:
    stream = io.BytesIO()
    log = JsonAccessLog(stream)
    bench = Bench(access_log=log)
    await bench.copy_part()
    log.close()
    assert stream.getvalue().count(b"\n") == 1


class Writes(io.BytesIO):
    """A stream that remembers what each write held."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, written: bytes, /) -> int:  # type: ignore[override]  # bytes is what is given
        self.written.append(bytes(written))
        return super().write(written)


async def test_lines_of_several_processes_leave_in_writes_that_a_pipe_keeps_whole() -> None:
    alone, shared = Writes(), Writes()
    for stream, log in ((alone, JsonAccessLog(alone)), (shared, JsonAccessLog(shared, shared=True))):
        bench = Bench(access_log=log)
        for _ in range(40):
            await bench.copy_part()
        log.close()
        assert stream.getvalue().count(b"\n") == 40
    assert len(shared.written) > len(alone.written)
    assert all(len(piece) <= select.PIPE_BUF and piece.endswith(b"}\n") for piece in shared.written)


async def test_a_stream_that_is_gone_stops_nothing() -> None:
    stream = io.BytesIO()
    log = JsonAccessLog(stream)
    bench = Bench(access_log=log)
    await bench.copy_part()
    stream.close()
    log.close()
    assert (await bench.copy_part()).status == 200
    log.close()
