"""The active policy set, read from files: validated whole, then swapped; the old one stays on any error.

A request is judged by exactly one version: `decide` takes the set once. Reading files is not done on the
event loop's time while serving; `reload` is called from a signal or the admin API and is rare.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from policies.decision import Decision
from policies.loading import DocumentSource, PolicySet, load_policies
from policies.problems import DocumentError, PolicyErrors
from policies.regions import Territories
from policies.request import AccessRequest

_log = structlog.get_logger("gateway.policies")


class PolicyFiles:
    """Implements ports.Policies over `*.yaml` files."""

    def __init__(self, paths: Sequence[Path], *, territories: Territories) -> None:
        self._paths = paths
        self._territories = territories
        self._active: PolicySet | None = None
        self.failed_reloads = 0
        self.state = "not loaded"
        self.healthy = False

    @property
    def active(self) -> PolicySet:
        """The set requests are judged by. Raises ValueError before the first `load`."""
        if self._active is None:
            raise ValueError("no policy set has been loaded")
        return self._active

    def decide(self, request: AccessRequest) -> Decision:
        """Judge one request by the active set."""
        return self.active.decide(request)

    def load(self) -> None:
        """Read, validate and test every document, then make them the active set. Raises PolicyErrors."""
        self.activate(self.read())

    def read(self) -> PolicySet:
        """Every document, validated and tested, without using it yet. Raises PolicyErrors.

        Touches nothing of this object: it may run in a thread while requests are judged.
        """
        return load_policies(read_documents(self._paths), territories=self._territories)

    def activate(self, loaded: PolicySet) -> None:
        """Make a set the one that requests are judged by."""
        self._active = loaded
        self.healthy = True
        self.state = f"version {loaded.version}"

    def refused(self, errors: PolicyErrors) -> None:
        """Keep the active set, and say why the files on disk are not used."""
        self.failed_reloads += 1
        self.healthy = self._active is not None
        self.state = f"version {self.active.version} stays active; the files on disk are refused: {errors}"
        _log.error("policies refused", errors=str(errors), active_version=self.active.version)

    def reload(self) -> bool:
        """`load`, or keep the active set and say why not. Returns whether the new set is active."""
        try:
            self.load()
        except PolicyErrors as errors:
            self.refused(errors)
            return False
        _log.info("policies active", version=self.active.version)
        return True


def read_documents(paths: Sequence[Path]) -> list[DocumentSource]:
    """Every document the paths name; of a folder each `*.yaml` in name order. Raises PolicyErrors."""
    sources: list[DocumentSource] = []
    errors: list[DocumentError] = []
    for path in paths:
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
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
