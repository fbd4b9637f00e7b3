"""What a running gateway reads from the store: everything at once, and whether anything changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.stores.access_keys import AccessKeyRecord, select_access_keys
from gateway.stores.database import Database
from gateway.stores.revoked_sessions import select_revoked_sessions
from gateway.stores.upstream_credentials import UpstreamCredentialRecord, select_upstream_credentials


@dataclass(frozen=True, slots=True)
class StoreContents:
    """One state of the store. `revision` is the counter that every write raises."""

    revision: int
    access_keys: Mapping[str, AccessKeyRecord]
    upstream_credentials: tuple[UpstreamCredentialRecord, ...]
    revoked_sessions: frozenset[str] = frozenset()


async def read_contents(database: Database, known: StoreContents | None = None) -> StoreContents:
    """The present state of the store; `known` itself when nothing changed since it. Raises StoreUnavailable."""
    async with database.read() as connection:
        rows = await connection.fetch("SELECT revision FROM revisions")
        if not rows:
            raise ValueError("the change counter is missing")
        revision = rows[0]["revision"]
        # Unequal, not greater: a restored backup may count from further back.
        if known is not None and revision == known.revision:
            return known
        keys = await select_access_keys(connection)
        credentials = await select_upstream_credentials(connection)
        revoked = await select_revoked_sessions(connection)
    return StoreContents(revision, {key.id: key for key in keys}, tuple(credentials), revoked)
