"""Admin tokens: making them, and telling whose a presented one is.

A token is `GWAT`, 16 characters that name it and 40 that prove it, all of base32: it can be found in a log by its
prefix, and looked up without a search that would depend on the secret part. The store keeps a SHA-256 of the whole;
200 random bits need no slow hash.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.credentials.fields import check_expiry, check_handle
from gateway.secret import Secret
from gateway.stores.admin_tokens import AdminTokenRecord, AdminTokenTable, Role
from gateway.stores.database import Store
from gateway.stores.errors import RecordNotFound

PREFIX = "GWAT"
ID_RANDOM_BYTES = 10
SECRET_RANDOM_BYTES = 25
"""200 bits."""

_TOKEN = re.compile(rf"({PREFIX}[A-Z2-7]{{16}})[A-Z2-7]{{40}}", re.ASCII)
_NOBODY = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class IssuedAdminToken:
    """A new token, which nothing shows again."""

    record: AdminTokenRecord
    token: Secret


class AdminTokens:
    """The admin tokens of a store. Every method raises StoreUnavailable when the store fails."""

    def __init__(self, database: Store, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._table = AdminTokenTable(database)
        self._clock = clock

    async def create(self, *, name: str, role: Role, expires_at: datetime | None = None) -> IssuedAdminToken:
        """Make a token. `name` is what the audit log calls its holder. Raises InvalidRecord, RecordExists."""
        now = self._clock().replace(microsecond=0)
        token_id, token = _new_token()
        record = AdminTokenRecord(
            id=token_id,
            name=check_handle("the token's name", name),
            role=role,
            token_hash=_hash(token.reveal()),
            created_at=now,
            expires_at=check_expiry(expires_at, now),
        )
        await self._table.insert(record)
        return IssuedAdminToken(record, token)

    async def find(self, presented: str) -> AdminTokenRecord | None:
        """Whose token this is; None when it is nobody's, or has expired."""
        match = _TOKEN.fullmatch(presented)
        if match is None:
            return None
        try:
            record = await self._table.get(match[1])
        except RecordNotFound:
            record = None
        # Compared in any case, so that the time taken does not tell which ids exist.
        same = hmac.compare_digest(_hash(presented), record.token_hash if record is not None else _NOBODY)
        if record is None or not same or (record.expires_at is not None and record.expires_at <= self._clock()):
            return None
        return record

    async def show(self, token_id: str) -> AdminTokenRecord:
        """One token's record. Raises RecordNotFound."""
        return await self._table.get(token_id)

    async def list(self) -> list[AdminTokenRecord]:
        """Every token's record, the oldest first."""
        return await self._table.list()

    async def delete(self, token_id: str) -> None:
        """Withdraw a token, at once. Raises RecordNotFound."""
        await self._table.delete(token_id)


def _new_token() -> tuple[str, Secret]:
    token_id = PREFIX + base64.b32encode(os.urandom(ID_RANDOM_BYTES)).decode("ascii")
    return token_id, Secret(token_id + base64.b32encode(os.urandom(SECRET_RANDOM_BYTES)).decode("ascii"))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()
