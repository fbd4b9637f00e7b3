"""Keeping the COS credentials: what the command line and the admin API call.

A credential is replaced in two steps, so that it can be tried before anything depends on it: `stage` stores the
next version, `activate` switches to it and keeps the last one for the way back. No method gives a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.credentials.envelope import RecordType, SecretContext
from gateway.credentials.fields import check_name, check_secret_text
from gateway.credentials.vault import Vault
from gateway.secret import Secret
from gateway.stores.database import Store
from gateway.stores.errors import InvalidRecord, RecordExists, RecordNotFound
from gateway.stores.upstream_credentials import CredentialState, UpstreamCredentialRecord, UpstreamCredentialTable

MAX_SECRET_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class CredentialSummary:
    """What may be shown of a stored credential: never the secret, and of the SecretId only its ends."""

    name: str
    version: int
    account: str
    secret_id_hint: str
    state: CredentialState
    created_at: datetime


class HeldCredentials:
    """The upstream credentials of a store. Every method raises StoreUnavailable when the store fails."""

    def __init__(
        self, database: Store, vault: Vault, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._table = UpstreamCredentialTable(database)
        self._vault = vault
        self._clock = clock

    async def add(self, *, name: str, account: str, secret_id: str, secret_key: Secret) -> CredentialSummary:
        """Store a credential under a new name and use it at once. `account` is the APPID it belongs to.

        Raises InvalidRecord, RecordExists, Sealed.
        """
        record = self._record(name, 1, account, secret_id, secret_key, CredentialState.ACTIVE)
        try:
            existing = await self._table.versions(name)
        except RecordNotFound:
            existing = []
        if existing:
            raise RecordExists(f"There is a credential {name!r} already; stage a new version of it instead.")
        await self._table.insert(record)
        return _summary(record)

    async def stage(self, name: str, *, secret_id: str, secret_key: Secret) -> CredentialSummary:
        """Store the next version of a credential without using it. Raises RecordNotFound, InvalidRecord, Sealed."""
        last = (await self._table.versions(name))[-1]
        record = self._record(name, last.version + 1, last.account, secret_id, secret_key, CredentialState.STAGED)
        await self._table.insert(record)
        return _summary(record)

    async def activate(self, name: str, version: int, *, remove_previous_at: datetime | None = None) -> None:
        """Switch to a staged or retired version; the present one becomes retired. Raises RecordNotFound."""
        await self._table.activate(name, version, remove_previous_at=remove_previous_at)

    async def show(self, name: str) -> list[CredentialSummary]:
        """The versions of one credential, the oldest first. Raises RecordNotFound."""
        return [_summary(record) for record in await self._table.versions(name)]

    async def list(self) -> list[CredentialSummary]:
        """Every version of every credential, by name."""
        return [_summary(record) for record in await self._table.list()]

    async def remove(self, name: str, version: int | None = None) -> None:
        """Remove a credential with all its versions, or one version. Raises RecordNotFound."""
        await self._table.delete(name, version)

    async def rewrap(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Wrap every credential by the current master key; gives how many were changed.

        Safe beside a running gateway and to repeat. `progress` is told how many of how many were looked at.
        Raises Sealed, UnknownMasterKey, UnopenableSecret.
        """
        changed = 0
        records = await self._table.list()
        for number, record in enumerate(records, start=1):
            sealed = self._vault.rewrap(record.secret_sealed, upstream_credential_context(record))
            if sealed is not None and await self._table.replace_sealed(record, sealed):
                changed += 1
            if progress is not None:
                progress(number, len(records))
        return changed

    def _record(
        self, name: str, version: int, account: str, secret_id: str, secret_key: Secret, state: CredentialState
    ) -> UpstreamCredentialRecord:
        check_name("the credential's name", name)
        check_name("the account", account)
        check_secret_text("the SecretId", secret_id, max_characters=MAX_SECRET_CHARACTERS)
        check_secret_text("the SecretKey", secret_key.reveal(), max_characters=MAX_SECRET_CHARACTERS)
        if secret_id == secret_key.reveal():
            raise InvalidRecord("Expected the SecretId and the SecretKey to differ; the key was given twice.")
        context = SecretContext(RecordType.UPSTREAM_CREDENTIAL, name, version, account)
        return UpstreamCredentialRecord(
            name=name,
            version=version,
            account=account,
            secret_id=secret_id,
            secret_sealed=self._vault.seal(secret_key, context),
            state=state,
            created_at=self._clock().replace(microsecond=0),
        )


def upstream_credential_context(record: UpstreamCredentialRecord) -> SecretContext:
    """What the secret of a credential is bound to. The tenant is the account it belongs to."""
    return SecretContext(RecordType.UPSTREAM_CREDENTIAL, record.name, record.version, record.account)


def secret_id_hint(secret_id: str) -> str:
    """Enough of a SecretId to recognise it: `AKID…wxyz`; nothing of one too short to cut."""
    return f"{secret_id[:4]}…{secret_id[-4:]}" if len(secret_id) >= 16 else "…"


def _summary(record: UpstreamCredentialRecord) -> CredentialSummary:
    return CredentialSummary(
        name=record.name,
        version=record.version,
        account=record.account,
        secret_id_hint=secret_id_hint(record.secret_id),
        state=record.state,
        created_at=record.created_at,
    )
