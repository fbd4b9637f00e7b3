"""What operators see: metrics on the admin port, one log line per request.

Labels are taken from closed sets (operations, result words, codes of the error table), so that a caller
cannot grow the number of series.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.context import Context
from gateway.exchange import Exchange

_DURATIONS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Telemetry:
    """The gateway's metrics and its access log."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "cosgw_requests_total", "Requests answered.", ["operation", "status"], registry=self.registry
        )
        self.refusals = Counter(
            "cosgw_refusals_total", "Requests the gateway itself refused.", ["code"], registry=self.registry
        )
        self.durations = Histogram(
            "cosgw_request_seconds",
            "Time from the request head to the end of the answer.",
            ["operation"],
            buckets=_DURATIONS_SECONDS,
            registry=self.registry,
        )
        self.bytes_in = Counter("cosgw_request_body_bytes_total", "Body bytes received.", registry=self.registry)
        self.bytes_out = Counter("cosgw_response_body_bytes_total", "Body bytes sent.", registry=self.registry)
        self.in_flight = Gauge("cosgw_in_flight_requests", "Requests being handled.", registry=self.registry)
        self.audit_failures = Counter(
            "cosgw_audit_refusals_total", "Requests refused because no audit line could be written.",
            registry=self.registry,
        )  # fmt: skip
        self._log = structlog.get_logger("gateway.access")
        self._request_children: dict[tuple[str, int], Any] = {}
        self._duration_children: dict[str, Any] = {}

    def answered(self, context: Context, exchange: Exchange, *, result: str) -> None:
        """Count and log one finished exchange."""
        operation, status = context.operation_name, exchange.status or 0
        seconds = time.monotonic() - exchange.started
        key = (operation, status)
        child = self._request_children.get(key)
        if child is None:
            child = self._request_children[key] = self.requests.labels(operation, str(status))
        child.inc()
        duration = self._duration_children.get(operation)
        if duration is None:
            duration = self._duration_children[operation] = self.durations.labels(operation)
        duration.observe(seconds)
        if exchange.bytes_in:
            self.bytes_in.inc(exchange.bytes_in)
        if exchange.bytes_out:
            self.bytes_out.inc(exchange.bytes_out)
        self._log.info(
            "request",
            request_id=context.request_id,
            client=context.client_address,
            principal=context.caller.principal if context.caller is not None else None,
            operation=operation,
            status=status,
            code=context.error_code,
            result=result,
            decision_id=context.decision_id,
            bytes_in=exchange.bytes_in,
            bytes_out=exchange.bytes_out,
            milliseconds=round(seconds * 1000, 2),
        )

    def refused(self, code: str) -> None:
        """Count a refusal of the gateway's own."""
        self.refusals.labels(code).inc()


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
