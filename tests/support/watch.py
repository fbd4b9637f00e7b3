"""What the upstream saw: the proof that something was, or was not, sent upstream."""

from __future__ import annotations

from emulator.request_log import LogEntry
from tests.support.site import Site


class Watch:
    """The requests that reach the upstream after this object was made."""

    def __init__(self, site: Site) -> None:
        self._log = site.log
        self._known = {entry.request_id for entry in self._log.entries}

    def new(self) -> list[LogEntry]:
        """Their log entries, in order."""
        return [entry for entry in self._log.entries if entry.request_id not in self._known]
