"""The first worker's view of all of them, and what the others tell it. Implements `gateway.admin.crew.Crew`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from gateway.readiness import Check
from gateway.services import Services
from gateway.workers.metrics import Family, Sums, collected
from gateway.workers.questions import Channel, ask

ANSWER_SECONDS = 1.0
"""How long a worker may take to say how it is: one that takes longer serves nobody."""
RELOAD_SECONDS = 20.0
"""How long a reload of the admin API waits for the other workers' part of it."""
FIRST = 1
"""The worker that has the admin and the sts port."""

_log = structlog.get_logger("gateway.workers")


class Told(msgspec.Struct):
    """A worker's answer. `metrics` only when asked for them."""

    pid: int
    checks: list[tuple[str, bool, str]]
    policies: str
    metrics: list[Family]


def told(services: Services, *, metrics: bool) -> Told:
    """What this process has to say of itself."""
    return Told(
        os.getpid(),
        [(check.name, check.ready, check.detail) for check in services.checks()],
        services.policies.active.version,
        collected(services.telemetry.registry) if metrics else [],
    )


async def answer(services: Services, question: str) -> bytes:
    """What a worker answers the first one."""
    if question == "reload":
        await services.policies.try_reload("admin")
    return msgspec.json.encode(told(services, metrics=question == "metrics"))


class Together:
    """All workers, asked by the first. `anew`: it took the place of one that had ended."""

    def __init__(self, services: Services, others: Mapping[int, Channel], *, anew: bool) -> None:
        self._services = services
        self._others = others
        self._sums = Sums(anew=anew)

    async def checks(self) -> list[Check]:
        """Those of the first worker by their names, one of each other worker, and the versions they judge by."""
        answers = await self._ask("state", ANSWER_SECONDS)
        versions: dict[str, list[int]] = {self._services.policies.active.version: [FIRST]}
        checks = self._services.checks()
        for number in self._others:
            found = answers.get(number)
            if found is None:
                checks.append(Check(f"worker {number}", ready=False, detail="does not answer"))
                continue
            versions.setdefault(found.policies, []).append(number)
            wrong = [f"{name}: {detail}" for name, ready, detail in found.checks if not ready]
            detail = "; ".join(wrong) if wrong else f"process {found.pid}"
            checks.append(Check(f"worker {number}", ready=not wrong, detail=detail))
        if len(versions) > 1:
            differing = "; ".join(f"{version} in {_named(numbers)}" for version, numbers in versions.items())
            # Each judges by a sound set: no reason to turn requests away.
            checks.append(Check("policy versions", ready=True, detail=f"differ: {differing}"))
        else:
            checks.append(Check("policy versions", ready=True, detail="the same in every worker that answers"))
        return checks

    async def metrics(self) -> bytes:
        """Sums, and how each worker does."""
        answers = await self._ask("metrics", ANSWER_SECONDS)
        own = told(self._services, metrics=True)
        self._sums.count_own(FIRST, own.pid, own.metrics)
        for number, found in answers.items():
            self._sums.count(number, found.pid, found.metrics)
        present = {FIRST: own, **answers}
        registry = CollectorRegistry()
        registry.register(_Ready([*self._sums.total(present), *self._workers(present)]))
        return generate_latest(registry)

    async def follow_reload(self) -> None:
        """Each worker reads, checks and tests the documents itself before it switches to them."""
        version = self._services.policies.active.version
        answers = await self._ask("reload", RELOAD_SECONDS)
        late = [n for n in self._others if (found := answers.get(n)) is None or found.policies != version]
        if late:
            _log.error("policies_differ", version=version, workers=late)

    async def _ask(self, question: str, seconds: float) -> dict[int, Told]:
        """The answers by worker; those that did not answer are missing."""
        channels = self._others.values()
        raw = await asyncio.gather(*(ask(channel, question, timeout_seconds=seconds) for channel in channels))
        return {
            number: msgspec.json.decode(text, type=Told)
            for number, text in zip(self._others, raw, strict=True)
            if text is not None
        }

    def _workers(self, present: Mapping[int, Told]) -> Iterator[Metric]:
        up = GaugeMetricFamily("cosgw_worker_up", "1 for a worker that answers.", labels=["worker", "pid"])
        requests = CounterMetricFamily("cosgw_worker_requests", "Requests answered by a worker.", labels=["worker"])
        for number in (FIRST, *self._others):
            found = present.get(number)
            up.add_metric([str(number), str(found.pid) if found is not None else ""], float(found is not None))
            if found is not None:
                requests.add_metric([str(number)], _answered(found.metrics))
        yield up
        yield requests


class _Ready:
    """Metrics that were collected already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Any:
        return self._metrics


def _answered(families: list[Family]) -> float:
    return sum(sample.value for family in families if family.name == "cosgw_requests" for sample in family.samples)


def _named(numbers: list[int]) -> str:
    return f"worker{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
