"""What operators see: metrics on the admin port, one log line per request.

Labels are taken from closed sets (operations, result words, codes of the error table), so that a caller
cannot grow the number of series.
"""

from __future__ import annotations

import logging
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate
from operator import add
from typing import Any, TypeAlias

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from gateway.access_log import AccessLog, Answered, structured_access_log
from gateway.context import Context
from gateway.decision_counts import DecisionCounts
from gateway.limits import InFlight
from gateway.ports import Outcome
from policies.decision import Verdict

_Labels: TypeAlias = tuple[str, int, Verdict | None]
"""Operation, status, what policy said of what was to be carried out."""

_DURATIONS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class _Total:
    """What is counted of the requests of some labels: how many took how long, and how long all of them."""

    __slots__ = ("durations", "seconds")

    def __init__(self) -> None:
        self.durations = [0] * (len(_DURATIONS_SECONDS) + 1)
        self.seconds = 0.0


class Telemetry:
    """The gateway's metrics and its access log.

    Counts are plain numbers of the event loop and become metrics when they are asked for: prometheus-client's
    own take a lock and cost as much as a signature.
    """

    def __init__(self, access_log: AccessLog = structured_access_log, *, in_flight: InFlight | None = None) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.audit_refusals = 0
        self._access_log = access_log
        self._in_flight = in_flight
        self._totals: defaultdict[_Labels, _Total] = defaultdict(_Total)
        self._refusals: Counter[str] = Counter()
        self._bytes_in = self._bytes_out = 0
        self._decisions = DecisionCounts()

    def answered(self, context: Context, outcome: Outcome) -> None:
        """Count and log one finished exchange."""
        caller, decision = context.caller, context.decision
        operation = context.operation.name if context.operation is not None else "unknown"
        status, seconds, bytes_in, bytes_out = outcome.status or 0, outcome.seconds, outcome.bytes_in, outcome.bytes_out
        verdict = None
        if decision is not None:
            if not context.dry_run:
                verdict = decision.verdict
            if decision.rehearsed is not None or decision.errors or context.dry_run:
                self._decisions.judged(decision, dry_run=context.dry_run)
        total = self._totals[operation, status, verdict]
        total.durations[bisect_left(_DURATIONS_SECONDS, seconds)] += 1
        total.seconds += seconds
        self._bytes_in += bytes_in
        self._bytes_out += bytes_out
        self._access_log(
            Answered(
                context.request_id,
                context.client_address,
                caller.principal if caller is not None else None,
                operation,
                status,
                outcome.code,
                outcome.result,
                context.decision_id,
                bytes_in,
                bytes_out,
                round(seconds * 100_000) / 100,
                context.certificate.label if context.certificate is not None else msgspec.UNSET,
                timestamp=outcome.time,
            )
        )

    def refused(self, code: str) -> None:
        """Count a refusal of the gateway's own."""
        self._refusals[code] += 1

    def collect(self) -> Iterator[Metric]:
        """The metrics at this moment: `registry` calls it when it is read."""
        answers: Counter[tuple[str, int]] = Counter()
        verdicts: Counter[Verdict] = Counter()
        durations: defaultdict[str, _Total] = defaultdict(_Total)
        for (operation, status, verdict), total in self._totals.items():
            count, of_operation = sum(total.durations), durations[operation]
            answers[operation, status] += count
            if verdict is not None:
                verdicts[verdict] += count
            of_operation.durations = list(map(add, of_operation.durations, total.durations))
            of_operation.seconds += total.seconds
        requests = CounterMetricFamily("cosgw_requests", "Requests answered.", labels=["operation", "status"])
        for (operation, status), count in answers.items():
            requests.add_metric([operation, str(status)], count)
        yield requests
        refusals = CounterMetricFamily("cosgw_refusals", "Requests the gateway itself refused.", labels=["code"])
        for code, count in self._refusals.items():
            refusals.add_metric([code], count)
        yield refusals
        yield from self._decisions.collect(verdicts)
        seconds = HistogramMetricFamily(
            "cosgw_request_seconds", "Time from the request head to the end of the answer.", labels=["operation"]
        )
        bounds = [*map(floatToGoString, _DURATIONS_SECONDS), "+Inf"]
        for operation, total in durations.items():
            # Cumulative, as Prometheus has them.
            seconds.add_metric([operation], list(zip(bounds, accumulate(total.durations), strict=True)), total.seconds)
        yield seconds
        yield CounterMetricFamily("cosgw_request_body_bytes", "Body bytes received.", self._bytes_in)
        yield CounterMetricFamily("cosgw_response_body_bytes", "Body bytes sent.", self._bytes_out)
        if self._in_flight is not None:
            yield GaugeMetricFamily("cosgw_in_flight_requests", "Requests being handled.", self._in_flight.count)
        yield CounterMetricFamily(
            "cosgw_audit_refusals", "Requests refused because no audit line could be written.", self.audit_refusals
        )


def configure_logging(*, level: str, json: bool) -> None:
    """Send structured log lines to standard error, rendered once by msgspec or for people."""
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    factory: Any
    if json:
        processors.append(structlog.processors.JSONRenderer(serializer=lambda event, **_: msgspec.json.encode(event)))
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
    else:
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
        factory = structlog.PrintLoggerFactory(sys.stderr)
    numeric_level = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(numeric_level),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
