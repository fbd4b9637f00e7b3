"""Keys that will expire soon: said in the log in time, once a day each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from gateway.credentials.watch import StoreWatch
from gateway.ports import KeyState, StoreUnavailable

NOTICE = timedelta(days=14)
REPEAT = timedelta(days=1)

_log = structlog.get_logger(__name__)


class ExpiryNotices:
    """Looks through the keys of the store now and then. `look` costs nothing in between."""

    def __init__(self, watch: StoreWatch, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._watch = watch
        self._clock = clock
        self._next: datetime | None = None

    def look(self) -> None:
        """Warn of every active key that expires within NOTICE, unless that was said within REPEAT."""
        now = self._clock()
        if self._next is not None and now < self._next:
            return
        try:
            records = self._watch.contents.access_keys.values()
        except StoreUnavailable:
            return
        self._next = now + REPEAT
        for record in records:
            ends = record.expires_at
            if record.state is KeyState.ACTIVE and ends is not None and now < ends <= now + NOTICE:
                _log.warning(
                    "access_key_expires_soon",
                    access_key_id=record.id,
                    principal=record.principal,
                    expires_at=ends.isoformat(),
                )
