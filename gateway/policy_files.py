"""The active policy set, read from files: validated whole, then swapped; the old one stays on any error.

There is one way to a new set, `reload`, and everything takes it: a changed file, SIGHUP, the admin API. Files are
read and tested in a thread, so that requests are judged meanwhile, and one reload runs at a time. A request is
judged by exactly one version: `decide` takes the set once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import structlog
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from gateway.process.pages import use_large_pages
from policies.decision import Decision
from policies.loading import DocumentSource, PolicySet, load_policies
from policies.narrowing import Narrowing, parse_narrowing
from policies.problems import DocumentError, PolicyErrors
from policies.regions import Territories
from policies.request import AccessRequest

MAX_SHOWN_ERRORS = 3
"""Errors that the state names; the log has all of them."""

BeforeActivation = Callable[[PolicySet], Awaitable[None]]
"""Called with the new set when it differs; what it raises keeps the old set."""

_log = structlog.get_logger("gateway.policies")


class PolicyFiles:
    """Implements ports.Policies over `*.yaml` files. Use from one event loop."""

    def __init__(self, paths: Sequence[Path], *, territories: Territories) -> None:
        self.paths = tuple(paths)
        self._territories = territories
        self._active: PolicySet | None = None
        self._reloading = asyncio.Lock()
        self._soon: set[asyncio.Task[bool]] = set()
        self._reloads: Counter[tuple[str, str]] = Counter()
        self.refusal: str | None = None
        """Why the files on disk are not the active set; None when they are."""

    @property
    def active(self) -> PolicySet:
        """The set requests are judged by. Raises ValueError before the first `load`."""
        if self._active is None:
            raise ValueError("no policy set has been loaded")
        return self._active

    @property
    def healthy(self) -> bool:
        """Whether there is a set to judge by. Refused files do not change that: the set that was sound stays."""
        return self._active is not None

    @property
    def state(self) -> str:
        """For operators: the version, and why the files on disk are refused."""
        if self._active is None:
            return "not loaded"
        if self.refusal is None:
            return f"version {self._active.version}"
        return f"version {self._active.version} stays active; the files on disk are refused: {self.refusal}"

    def decide(self, request: AccessRequest) -> Decision:
        """Judge one request by the active set. Raises ValueError before the first `load`."""
        return (self._active or self.active).decide(request)

    def read_narrowing(self, text: str) -> Narrowing:
        """A session's own policy, as sessions that are opened here read it. Raises PolicyErrors."""
        return parse_narrowing(text, territories=self._territories)

    def load(self) -> None:
        """Read, validate and test every document, and use them: the start of the gateway. Raises PolicyErrors."""
        self._active = self._read()

    async def check(self) -> PolicySet:
        """The set as it would be after a reload; nothing changes. Raises PolicyErrors."""
        async with self._reloading:
            return await asyncio.to_thread(self._read)

    async def reload(self, cause: str, *, before: BeforeActivation | None = None) -> PolicySet:
        """Read, validate and test every document, then swap them in whole.

        `cause` is a word for the metric and the log. Raises PolicyErrors, and the active set stays.
        """
        async with self._reloading:
            try:
                fresh = await asyncio.to_thread(self._read_to_stay)
            except PolicyErrors as errors:
                self._refuse(cause, errors)
                raise
            changed = self._active is None or fresh.version != self._active.version
            if before is not None:
                await before(fresh)
            self._active, self.refusal = fresh, None
        self._reloads[(cause, "active" if changed else "unchanged")] += 1
        if changed:
            _log.info("policies active", version=fresh.version, cause=cause)
        return fresh

    async def try_reload(self, cause: str) -> bool:
        """`reload`, or keep the active set. Returns whether the files on disk are the active set."""
        try:
            await self.reload(cause)
        except PolicyErrors:
            return False
        return True

    def reload_soon(self, cause: str) -> None:
        """Start `try_reload` from a signal handler of the event loop."""
        task = asyncio.get_running_loop().create_task(self.try_reload(cause))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    def collect(self) -> Iterator[Metric]:
        """The metrics of the active set, at this moment."""
        reloads = CounterMetricFamily("cosgw_policy_reloads", "Attempts to reload.", labels=["cause", "result"])
        for labels, count in self._reloads.items():
            reloads.add_metric(labels, count)
        yield reloads
        refused = float(self.refusal is not None)
        yield GaugeMetricFamily("cosgw_policy_files_refused", "1 while the files on disk are refused.", refused)
        active = GaugeMetricFamily("cosgw_policy_statements", "Statements of the active set.", labels=["version"])
        if self._active is not None:
            active.add_metric([self._active.version], len(self._active.statements))
        yield active

    def _read(self) -> PolicySet:
        """Every document, validated and tested. Touches nothing of this object: it runs in a thread."""
        return load_policies(read_documents(self.paths), territories=self._territories)

    def _read_to_stay(self) -> PolicySet:
        """`_read`, of a set that is going to be used. Large pages are not missed while it is tested only."""
        fresh = self._read()
        use_large_pages()
        return fresh

    def _refuse(self, cause: str, errors: PolicyErrors) -> None:
        self._reloads[(cause, "refused")] += 1
        shown = "; ".join(str(error) for error in errors.errors[:MAX_SHOWN_ERRORS])
        more = len(errors.errors) - MAX_SHOWN_ERRORS
        self.refusal = f"{shown}; and {more} more" if more > 0 else shown
        version = self._active.version if self._active is not None else None
        _log.error("policies refused", cause=cause, errors=str(errors), active_version=version)


def document_files(paths: Sequence[Path]) -> list[Path]:
    """Every file the paths name; of a folder each `*.yaml` in name order."""
    return [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]


def read_documents(paths: Sequence[Path]) -> list[DocumentSource]:
    """Every document the paths name. Raises PolicyErrors."""
    sources: list[DocumentSource] = []
    errors: list[DocumentError] = []
    for file in document_files(paths):
        try:
            sources.append(DocumentSource(name=str(file), text=file.read_text(encoding="utf-8")))
        except OSError as error:
            found = error.strerror or "an unreadable file"
            errors.append(DocumentError(str(file), 1, 1, "", found, "a policy document"))
        except UnicodeDecodeError as error:
            errors.append(DocumentError(str(file), 1, 1, "", f"byte {error.start} is not UTF-8", "UTF-8 text"))
    if errors:
        raise PolicyErrors(errors)
    return sources
