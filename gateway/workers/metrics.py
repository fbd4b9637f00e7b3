"""The metrics of several processes as one: counters are summed and never fall because a process was replaced.

When a worker is replaced, what it had counted when it was last asked stays in the sum. When the worker that sums is
replaced itself, every sum begins anew at zero, as after a start of the whole gateway, which Prometheus understands;
it must not fall to what the others have counted, which Prometheus would take for that many new events.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from prometheus_client import CollectorRegistry, Metric

LARGEST = frozenset(
    {
        "cosgw_policy_statements",
        "cosgw_policy_files_refused",
        "cosgw_tls_certificate_not_after_seconds",
        "cosgw_tls_files_refused",
    }
)
"""Gauges that say the same thing in every process; the others are summed."""

_Key = tuple[str, str, tuple[tuple[str, str], ...]]
"""The metric's name, the sample's, and its labels."""


class Sample(msgspec.Struct, array_like=True):
    """One line of a metric."""

    name: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, array_like=True):
    """One metric of one process."""

    name: str
    kind: str
    documentation: str
    samples: list[Sample]


def collected(registry: CollectorRegistry) -> list[Family]:
    """The metrics of this process at this moment."""
    return [
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            [Sample(sample.name, dict(sample.labels), float(sample.value)) for sample in metric.samples],
        )
        for metric in registry.collect()
    ]


class Sums:
    """Adds up what workers count. A worker is told apart from its predecessor by its process id."""

    def __init__(self, *, anew: bool) -> None:
        """With `anew` this worker took over the sums: what others had counted when they are first seen is left out."""
        self._anew = anew
        self._base: dict[_Key, float] = {}
        self._last: dict[int, tuple[int, list[Family]]] = {}

    def count_own(self, number: int, pid: int, families: list[Family]) -> None:
        """What this process has counted, always all of it."""
        self._last[number] = (pid, families)

    def count(self, number: int, pid: int, families: list[Family]) -> None:
        """What another worker has counted."""
        known = self._last.get(number)
        if known is None and self._anew:
            self._add_to_base(families, -1)
        elif known is not None and known[0] != pid:
            self._add_to_base(known[1], +1)
        self._last[number] = (pid, families)

    def total(self, present: Iterable[int]) -> Iterator[Metric]:
        """The metrics of all workers. Gauges are of those `present`: the others' numbers are of the past."""
        now = set(present)
        metrics: dict[str, Family] = {}
        values: dict[_Key, float] = {}
        for number, (_, families) in self._last.items():
            for family in families:
                metrics.setdefault(family.name, family)
                if family.kind == "gauge" and number not in now:
                    continue
                merge = max if family.name in LARGEST else operator.add
                for sample in family.samples:
                    key = _key(family, sample)
                    values[key] = merge(values[key], sample.value) if key in values else sample.value
        for key, base in self._base.items():
            values[key] = values.get(key, 0.0) + base
        yield from _rendered(metrics, values)

    def _add_to_base(self, families: list[Family], sign: int) -> None:
        for family in families:
            if family.kind != "gauge":
                for sample in family.samples:
                    key = _key(family, sample)
                    self._base[key] = self._base.get(key, 0.0) + sign * sample.value


def _key(family: Family, sample: Sample) -> _Key:
    return family.name, sample.name, tuple(sample.labels.items())


def _rendered(metrics: Mapping[str, Family], values: Mapping[_Key, float]) -> Iterator[Metric]:
    built = {name: Metric(name, family.documentation, family.kind) for name, family in metrics.items()}
    for (name, sample, labels), value in values.items():
        if name in built:
            built[name].add_sample(sample, dict(labels), value)
    yield from built.values()
