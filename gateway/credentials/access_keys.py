"""Issuing and withdrawing access keys: what the command line and the admin API call.

A secret is made here, shown once in the answer to `create`, and from then on only opened to verify signatures.
"""

from __future__ import annotations

import base64
import os
import secrets
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum

from gateway.credentials.envelope import RecordType, SecretContext
from gateway.credentials.fields import check_expiry, check_labels, check_name, check_text, parse_networks
from gateway.credentials.vault import Vault
from gateway.ports import KeyState
from gateway.secret import Secret
from gateway.stores.access_keys import AccessKeyRecord, AccessKeyTable
from gateway.stores.database import Store
from gateway.stores.errors import InvalidRecord, RecordConflict

ID_PREFIX = "GWAK"
ID_RANDOM_BITS = 160
"""32 base32 characters after the prefix: the protocol tells known ids from unknown ones, so none may be guessable."""
SECRET_CHARACTERS = 40
"""Letters and digits, 5.95 bits each: 238 bits."""

MAX_OVERLAP = timedelta(days=90)
"""How long a rotated key may stay valid beside its successor."""

_SECRET_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key with its secret, which nothing shows again."""

    record: AccessKeyRecord
    secret: Secret


class Unchanged(Enum):
    """Stands for a field that an edit leaves alone, where None has a meaning of its own."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True)
class KeyEdit:
    """What to change of a key; a field that is None, or UNCHANGED, stays. `expires_at` None: never."""

    state: KeyState | None = None
    label: str | None = None
    labels: Mapping[str, str] | None = None
    networks: tuple[str, ...] | None = None
    expires_at: datetime | Unchanged | None = UNCHANGED


class IssuedKeys:
    """The access keys of a store. Every method raises StoreUnavailable when the store fails."""

    def __init__(
        self, database: Store, vault: Vault, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._table = AccessKeyTable(database)
        self._vault = vault
        self._clock = clock

    async def create(
        self,
        *,
        principal: str,
        label: str = "",
        labels: Mapping[str, str] | None = None,
        networks: Iterable[str] = (),
        expires_at: datetime | None = None,
    ) -> IssuedKey:
        """Issue a key to a principal such as `team:media`; it is stored when this returns.

        `label` is for people, `labels` are for policies; no network means any. Raises InvalidRecord, Sealed.
        """
        now = self._clock().replace(microsecond=0)
        context = _context(new_access_key_id(), 1, check_name("the principal", principal))
        secret = new_secret()
        record = AccessKeyRecord(
            id=context.id,
            version=context.version,
            secret_sealed=self._vault.seal(secret, context),
            principal=principal,
            label=check_text("the label", label),
            labels=check_labels(labels or {}),
            networks=parse_networks(networks),
            state=KeyState.ACTIVE,
            created_at=now,
            expires_at=check_expiry(expires_at, now),
        )
        await self._table.insert(record)
        return IssuedKey(record, secret)

    async def edit(self, access_key_id: str, edit: KeyEdit) -> AccessKeyRecord:
        """Change a key; running gateways follow within their poll interval. Raises RecordNotFound, InvalidRecord."""
        record = await self._table.get(access_key_id)
        if edit.state is not None:
            record = replace(record, state=edit.state)
        if edit.label is not None:
            record = replace(record, label=check_text("the label", edit.label))
        if edit.labels is not None:
            record = replace(record, labels=check_labels(edit.labels))
        if edit.networks is not None:
            record = replace(record, networks=parse_networks(edit.networks))
        if edit.expires_at is not UNCHANGED:
            record = replace(record, expires_at=check_expiry(edit.expires_at, self._clock()))
        await self._table.replace(record)
        return record

    async def rotate(
        self, access_key_id: str, *, overlap: timedelta, expires_at: datetime | None = None
    ) -> tuple[IssuedKey, AccessKeyRecord]:
        """A second key like the first, which then expires after `overlap`; gives the new one and the old one.

        The old key is never valid for longer than it was. Raises RecordNotFound, InvalidRecord, RecordConflict
        when the old key is disabled or expired, Sealed.
        """
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise InvalidRecord(f"Expected an overlap of 0 to {MAX_OVERLAP.days} days, got {overlap}.")
        now = self._clock().replace(microsecond=0)
        old = await self._table.get(access_key_id)
        if old.state is not KeyState.ACTIVE or (old.expires_at is not None and old.expires_at <= now):
            raise RecordConflict(f"Expected {access_key_id!r} to be in use; a key that is not cannot be rotated.")
        issued = await self.create(
            principal=old.principal,
            label=old.label,
            labels=old.labels,
            networks=map(str, old.networks),
            expires_at=expires_at,
        )
        ends = now + overlap
        retiring = replace(old, expires_at=ends if old.expires_at is None else min(old.expires_at, ends))
        await self._table.replace(retiring)
        return issued, retiring

    async def page(
        self, *, limit: int, after: tuple[int, str] | None = None, principal: str | None = None
    ) -> list[AccessKeyRecord]:
        """At most `limit` keys without their secrets, the oldest first, that follow (Unix time, id)."""
        return await self._table.page(limit=limit, after=after, principal=principal)

    async def list(self) -> list[AccessKeyRecord]:
        """Every key without its secret, the oldest first."""
        return await self._table.list()

    async def show(self, access_key_id: str) -> AccessKeyRecord:
        """One key without its secret. Raises RecordNotFound."""
        return await self._table.get(access_key_id)

    async def disable(self, access_key_id: str) -> None:
        """Stop accepting a key; running gateways follow within their poll interval. Raises RecordNotFound."""
        await self._table.set_state(access_key_id, KeyState.DISABLED)

    async def enable(self, access_key_id: str) -> None:
        """Accept a disabled key again. Raises RecordNotFound."""
        await self._table.set_state(access_key_id, KeyState.ACTIVE)

    async def delete(self, access_key_id: str) -> None:
        """Remove a key for good. Raises RecordNotFound."""
        await self._table.delete(access_key_id)

    async def rewrap(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Wrap every key by the current master key; gives how many were changed.

        Safe beside a running gateway and to repeat. `progress` is told how many of how many were looked at.
        Raises Sealed, UnknownMasterKey, UnopenableSecret.
        """
        changed = 0
        records = await self._table.list()
        for number, record in enumerate(records, start=1):
            sealed = self._vault.rewrap(record.secret_sealed, access_key_context(record))
            if sealed is not None and await self._table.replace_sealed(record, sealed):
                changed += 1
            if progress is not None:
                progress(number, len(records))
        return changed


def access_key_context(record: AccessKeyRecord) -> SecretContext:
    """What the secret of a key is bound to. The tenant is the principal: a key cannot be moved to another."""
    return _context(record.id, record.version, record.principal)


def new_access_key_id() -> str:
    """`GWAK` and 32 random capital letters and digits (base32)."""
    return ID_PREFIX + base64.b32encode(os.urandom(ID_RANDOM_BITS // 8)).decode("ascii")


def new_secret() -> Secret:
    """40 random letters and digits; no character needs quoting in a shell, a URL or YAML."""
    return Secret("".join(secrets.choice(_SECRET_ALPHABET) for _ in range(SECRET_CHARACTERS)))


def _context(access_key_id: str, version: int, principal: str) -> SecretContext:
    return SecretContext(RecordType.ACCESS_KEY, access_key_id, version, principal)
