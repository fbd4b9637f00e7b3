"""The security token of a session: the whole session, sealed, so that no replica has to store or look up any.

    token  = base64url, unpadded:  version  master-key-id  nonce  ciphertext
                                   1        8              12     m + 16   bytes
    sealed = AES-256-GCM under a key of the session's own: HKDF-SHA256 of the master key, for this session's id

The id is also authenticated, so a token opens for no other id. Any replica with the master key opens it; a holder
can read nothing of it and change nothing in it. It has no character that a URL or a header would escape.

Decision: docs/adr/0013-sessions-in-their-token.md.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.credentials.envelope import UnknownMasterKey
from gateway.credentials.vault import Vault
from gateway.secret import Secret

ID_PREFIX = "GWTK"
ID_RANDOM_BITS = 160
MAX_TOKEN_CHARACTERS = 4096
"""More than any token with the longest policy has; a longer text is not even decoded."""

_VERSION = b"\x01"
_MASTER_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + _MASTER_KEY_ID_BYTES
_PURPOSE = b"cos-gateway session token 1 "


class InvalidToken(Exception):
    """A token that opens no session of that id."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token holds.

    `parent` is an access key's id with `parent_check`, which tells whether that key still has the same secret, or
    `oidc:<provider>`. Times are Unix seconds. `policy` is the session's own, as it was given.
    """

    id: str
    secret: Secret
    principal: str
    parent: str
    parent_check: bytes
    issued_at: int
    expires_at: int
    policy: str | None


class _Sealed(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    secret: str
    principal: str
    parent: str
    parent_check: bytes
    issued_at: int
    expires_at: int
    policy: str | None


def new_session_id() -> str:
    """`GWTK` and 32 random capital letters and digits (base32)."""
    return ID_PREFIX + base64.b32encode(os.urandom(ID_RANDOM_BITS // 8)).decode("ascii")


def seal_token(vault: Vault, grant: Grant) -> Secret:
    """The token of a session. Raises Sealed."""
    master_key_id, key = vault.derive(_PURPOSE + grant.id.encode("ascii"))
    header = _VERSION + bytes.fromhex(master_key_id)
    content = _Sealed(
        secret=grant.secret.reveal(),
        principal=grant.principal,
        parent=grant.parent,
        parent_check=grant.parent_check,
        issued_at=grant.issued_at,
        expires_at=grant.expires_at,
        policy=grant.policy,
    )
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, msgspec.msgpack.encode(content), header + grant.id.encode("ascii"))
    return Secret(base64.urlsafe_b64encode(header + nonce + sealed).rstrip(b"=").decode("ascii"))


def open_token(vault: Vault, session_id: str, token: str) -> Grant:
    """The session of that id. Raises InvalidToken, Sealed."""
    raw = _decode(token)
    header, nonce, sealed = raw[:_HEADER_BYTES], raw[_HEADER_BYTES:][:_NONCE_BYTES], raw[_HEADER_BYTES + _NONCE_BYTES :]
    if header[:1] != _VERSION:
        raise InvalidToken
    try:
        _, key = vault.derive(_PURPOSE + session_id.encode("ascii"), master_key_id=header[1:].hex())
        opened = AESGCM(key).decrypt(nonce, sealed, header + session_id.encode("ascii"))
        content = msgspec.msgpack.decode(opened, type=_Sealed)
    except (UnknownMasterKey, InvalidTag, msgspec.MsgspecError, UnicodeEncodeError):
        raise InvalidToken from None
    return Grant(
        id=session_id,
        secret=Secret(content.secret),
        principal=content.principal,
        parent=content.parent,
        parent_check=content.parent_check,
        issued_at=content.issued_at,
        expires_at=content.expires_at,
        policy=content.policy,
    )


def _decode(token: str) -> bytes:
    if not 0 < len(token) <= MAX_TOKEN_CHARACTERS:
        raise InvalidToken
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise InvalidToken from None
    # One spelling for one token: unused bits and padding are not for anybody to choose.
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != token:
        raise InvalidToken
    if len(raw) < _HEADER_BYTES + _NONCE_BYTES + 16:
        raise InvalidToken
    return raw
