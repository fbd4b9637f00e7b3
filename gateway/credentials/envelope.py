"""The sealed form of one secret: AES-256-GCM under a data key of its own, wrapped by a master key.

    sealed = "COSG" version key-id-length key-id | wrap-nonce wrapped-data-key | nonce ciphertext
              4      1       1            n          12         32 + 16            12    m + 16   bytes

Both layers authenticate the record they belong to (type, id, version, tenant), so that a sealed secret copied
to another row, or a row renamed to another tenant, does not open. The outer layer also authenticates the
header. Nonces are 96 random bits. Changing the master key re-wraps the data key and leaves the inner layer
as it is: the secret itself is not opened for that.

Source: reference page security.md, C16; NIST SP 800-38D (GCM).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.credentials.master_key import MasterKey
from gateway.ports import StoreUnavailable
from gateway.secret import Secret

MAGIC = b"COSG"
FORMAT_VERSION = 1
DATA_KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16

_WRAP_PURPOSE = b"cos-gateway envelope 1 wrap"
_WRAPPED_BYTES = NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES


class UnopenableSecret(StoreUnavailable):
    """A sealed secret does not open: another master key, another record, or altered bytes."""


class UnknownMasterKey(UnopenableSecret):
    """A secret was sealed by a master key that is not loaded."""


class RecordType(StrEnum):
    """What kinds of records hold a sealed secret."""

    ACCESS_KEY = "access-key"
    UPSTREAM_CREDENTIAL = "upstream-credential"


@dataclass(frozen=True, slots=True)
class SecretContext:
    """The record a sealed secret belongs to. `tenant` is who owns it: a principal, or a cloud account."""

    record_type: RecordType
    id: str
    version: int
    tenant: str

    def encode(self) -> bytes:
        """The additional authenticated data: each field with its length in front, so that no two records agree."""
        fields = (self.record_type, self.id, str(self.version), self.tenant)
        return b"".join(len(raw).to_bytes(4) + raw for raw in (text.encode("utf-8") for text in fields))

    def __str__(self) -> str:
        return f"{self.record_type} {self.id!r} version {self.version}"


def seal(secret: Secret, context: SecretContext, master_key: MasterKey) -> bytes:
    """The sealed form of a secret, for exactly that record. Two calls never give the same bytes."""
    data_key = AESGCM.generate_key(bit_length=8 * DATA_KEY_BYTES)
    nonce = os.urandom(NONCE_BYTES)
    inner = nonce + AESGCM(data_key).encrypt(nonce, secret.reveal().encode("utf-8"), _inner_data(context))
    return _wrap(data_key, context, master_key) + inner


def open_sealed(sealed: bytes, context: SecretContext, master_keys: Mapping[str, MasterKey]) -> Secret:
    """The secret of a record. `master_keys` are by id. Raises UnknownMasterKey, UnopenableSecret."""
    parts = _split(sealed, context)
    data_key = _unwrap(parts, context, master_keys)
    nonce, ciphertext = parts.inner[:NONCE_BYTES], parts.inner[NONCE_BYTES:]
    try:
        return Secret(AESGCM(data_key).decrypt(nonce, ciphertext, _inner_data(context)).decode("utf-8"))
    except (InvalidTag, UnicodeDecodeError):
        raise _unopenable(context) from None


def rewrap(
    sealed: bytes, context: SecretContext, *, master_keys: Mapping[str, MasterKey], current: MasterKey
) -> bytes | None:
    """The same secret wrapped by the current master key; None when it is already.

    The data key is unwrapped and wrapped again; the secret stays sealed. Raises UnknownMasterKey, UnopenableSecret.
    """
    parts = _split(sealed, context)
    data_key = _unwrap(parts, context, master_keys)
    if parts.key_id == current.id:
        return None
    return _wrap(data_key, context, current) + parts.inner


def wrapped_by(sealed: bytes) -> str | None:
    """The id of the master key that a sealed secret says it needs; None when it cannot be read. Proves nothing."""
    start = len(MAGIC) + 2
    if len(sealed) < start or sealed[: len(MAGIC)] != MAGIC or sealed[len(MAGIC)] != FORMAT_VERSION:
        return None
    named = sealed[start : start + sealed[start - 1]]
    return named.decode("ascii") if named.isalnum() else None


class _Parts(NamedTuple):
    key_id: str
    header: bytes
    wrapped: bytes
    inner: bytes


def _split(sealed: bytes, context: SecretContext) -> _Parts:
    start = len(MAGIC) + 2
    if len(sealed) < start or sealed[: len(MAGIC)] != MAGIC or sealed[len(MAGIC)] != FORMAT_VERSION:
        raise _unopenable(context)
    header_end = start + sealed[start - 1]
    inner_start = header_end + _WRAPPED_BYTES
    if len(sealed) < inner_start + NONCE_BYTES + TAG_BYTES:
        raise _unopenable(context)
    try:
        key_id = sealed[start:header_end].decode("ascii")
    except UnicodeDecodeError:
        raise _unopenable(context) from None
    return _Parts(key_id, sealed[:header_end], sealed[header_end:inner_start], sealed[inner_start:])


def _wrap(data_key: bytes, context: SecretContext, master_key: MasterKey) -> bytes:
    key_id = master_key.id.encode("ascii")
    header = MAGIC + bytes((FORMAT_VERSION, len(key_id))) + key_id
    nonce = os.urandom(NONCE_BYTES)
    cipher = AESGCM(master_key.derive(_WRAP_PURPOSE))
    return header + nonce + cipher.encrypt(nonce, data_key, _outer_data(header, context))


def _unwrap(parts: _Parts, context: SecretContext, master_keys: Mapping[str, MasterKey]) -> bytes:
    master_key = master_keys.get(parts.key_id)
    if master_key is None:
        # The id is printed only when it looks like one: altered bytes do not reach the log.
        named = parts.key_id if parts.key_id.isalnum() else "(unreadable id)"
        raise UnknownMasterKey(
            f"The secret of {context} was sealed by master key {named}, which is not loaded; "
            f"got {', '.join(sorted(master_keys)) or 'none'}."
        )
    nonce, ciphertext = parts.wrapped[:NONCE_BYTES], parts.wrapped[NONCE_BYTES:]
    try:
        return AESGCM(master_key.derive(_WRAP_PURPOSE)).decrypt(nonce, ciphertext, _outer_data(parts.header, context))
    except InvalidTag:
        raise _unopenable(context) from None


def _outer_data(header: bytes, context: SecretContext) -> bytes:
    return b"wrap" + len(header).to_bytes(4) + header + context.encode()


def _inner_data(context: SecretContext) -> bytes:
    return b"data" + context.encode()


def _unopenable(context: SecretContext) -> UnopenableSecret:
    return UnopenableSecret(f"The secret of {context} does not open: its bytes or the record it is bound to changed.")
