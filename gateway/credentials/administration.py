"""Everything an administrator may change, over one store: what the admin API and the local command line call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.credentials.changes import Changes
from gateway.credentials.credential_administration import CredentialAdministration
from gateway.credentials.key_administration import KeyAdministration
from gateway.credentials.session_administration import SessionAdministration
from gateway.credentials.token_administration import TokenAdministration
from gateway.credentials.vault import Vault
from gateway.ports import AuditLog
from gateway.stores.database import Database


class Administration:
    """Access keys, COS credentials, admin tokens, sessions. `applied` is called after each change was committed."""

    def __init__(
        self, database: Database, vault: Vault, audit: AuditLog, *, applied: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        changes = Changes(database, audit, applied=applied)
        self.keys = KeyAdministration(database, vault, changes)
        self.credentials = CredentialAdministration(database, vault, changes)
        self.tokens = TokenAdministration(database, changes)
        self.sessions = SessionAdministration(changes)
