"""Master keys: 32 random bytes that wrap every other key at rest.

They come from a file (mode 0600, owned by the account that runs the gateway, or root) or from the environment
variable COSGW_MASTER_KEY. A source may hold several, one a line: the first wraps, the others only open what
was wrapped before, which is how a master key is changed without a stop. A key that a person could have chosen
is refused. Source: reference page security.md, C16.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from dataclasses import dataclass, field
from errno import ENOENT
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MASTER_KEY_BYTES = 32
MAX_FILE_BYTES = 4096

# 32 random bytes hold fewer than 20 different values about once in 10^13 keys.
_MIN_DISTINCT_BYTES = 20
_HEX = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{43}=?", re.ASCII)


class MasterKeyError(Exception):
    """A master key is missing, unreadable, unsafe or weak. Messages name the source, never the key."""


@dataclass(frozen=True, slots=True, eq=False)
class MasterKey:
    """One master key. `id` is 16 hexadecimal digits derived from the key: it names the key and tells nothing of it."""

    id: str
    raw: bytes = field(repr=False)

    def derive(self, purpose: bytes) -> bytes:
        """A 32-byte key for one purpose (HKDF-SHA256), so that no two uses share a key."""
        return _derive(self.raw, purpose)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a master key cannot be pickled")


def read_master_keys(path: Path) -> tuple[MasterKey, ...]:
    """The master keys of a file, the current one first.

    Raises MasterKeyError when the file is missing, is not a regular file, can be read by others than its
    owner, belongs to another account, or holds anything but acceptable keys.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        hint = f" Make one with `cos-gateway master-key create {path}`." if error.errno == ENOENT else ""
        raise MasterKeyError(f"Expected a master key file at {path}, got: {error.strerror}.{hint}") from None
    with os.fdopen(descriptor, "rb") as file:
        # Judged on the open file, so that what was checked is what is read.
        _refuse_unsafe_file(path, os.fstat(file.fileno()))
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise MasterKeyError(f"Expected at most {MAX_FILE_BYTES} bytes in the master key file {path}.")
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise MasterKeyError(f"Expected base64 or hexadecimal text in {path}, got binary data.") from None
    return parse_master_keys(text, source=str(path))


def parse_master_keys(text: str, *, source: str) -> tuple[MasterKey, ...]:
    """The master keys of a text: one or more, separated by white space or commas, the current one first.

    Each is 32 bytes as 64 hexadecimal digits or as base64 (either alphabet). `source` is named in errors.
    Raises MasterKeyError.
    """
    words = text.replace(",", " ").split()
    if not words:
        raise MasterKeyError(f"Expected a master key in {source}, got nothing.")
    keys: dict[str, MasterKey] = {}
    for number, word in enumerate(words, start=1):
        key = _parse_master_key(word, f"{source} (key {number})" if len(words) > 1 else source)
        if key.id in keys:
            raise MasterKeyError(f"Expected different master keys in {source}, got the key {key.id} twice.")
        keys[key.id] = key
    return tuple(keys.values())


def new_master_key() -> MasterKey:
    """A fresh master key from the operating system's random source."""
    return _master_key(os.urandom(MASTER_KEY_BYTES))


def generate_master_key_file(path: Path) -> MasterKey:
    """Write a fresh master key to a new file, mode 0600, and give it back. It is on disk when this returns.

    Raises MasterKeyError when anything exists at `path` already (it may be the only copy of a key) or the
    file cannot be written.
    """
    key = new_master_key()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(key.raw) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise MasterKeyError(f"Expected no file at {path}; an existing master key is never overwritten.") from None
    except OSError as error:
        raise MasterKeyError(f"Could not write the master key file {path}: {error.strerror}.") from None
    return key


def _parse_master_key(word: str, source: str) -> MasterKey:
    if _HEX.fullmatch(word):
        raw = bytes.fromhex(word)
    elif _BASE64.fullmatch(word):
        try:
            raw = base64.b64decode(word.rstrip("=").replace("-", "+").replace("_", "/") + "=", validate=True)
        except binascii.Error:
            raise MasterKeyError(_wanted(source, "text that is neither")) from None
        # 43 characters of random base64 without a capital or a small letter: about once in 10^9 keys.
        if word in {word.lower(), word.upper()}:
            raise MasterKeyError(_weak(source, "it looks like a passphrase"))
    else:
        raise MasterKeyError(_wanted(source, f"{len(word)} characters that are neither"))
    _refuse_weak(raw, source)
    return _master_key(raw)


def _refuse_weak(raw: bytes, source: str) -> None:
    if len(set(raw)) == 1:
        raise MasterKeyError(_weak(source, "it repeats one byte"))
    if len({(after - before) % 256 for before, after in pairwise(raw)}) == 1:
        raise MasterKeyError(_weak(source, "its bytes form a sequence"))
    if all(0x20 <= byte < 0x7F for byte in raw):
        raise MasterKeyError(_weak(source, "it is readable text, like a passphrase"))
    if len(set(raw)) < _MIN_DISTINCT_BYTES:
        raise MasterKeyError(_weak(source, f"it has only {len(set(raw))} different bytes"))


def _refuse_unsafe_file(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise MasterKeyError(f"Expected a regular file at {path}.")
    if status.st_uid not in {os.geteuid(), 0}:
        raise MasterKeyError(
            f"Expected the master key file {path} to belong to user {os.geteuid()} or root, got user {status.st_uid}."
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise MasterKeyError(
            f"Expected the master key file {path} to be readable by its owner only (mode 0600), got {mode:04o}. "
            "Treat the key as known to others: make a new one, or run chmod 600 if it never was exposed."
        )


def _master_key(raw: bytes) -> MasterKey:
    return MasterKey(id=_derive(raw, b"cos-gateway master key id")[:8].hex(), raw=raw)


def _derive(raw: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(raw)


def _wanted(source: str, got: str) -> str:
    return (
        f"Expected the master key of {source} to be 32 random bytes as 64 hexadecimal digits or base64, got {got}. "
        "Make one with: openssl rand -base64 32"
    )


def _weak(source: str, reason: str) -> str:
    return (
        f"The master key of {source} is refused: {reason}. "
        "Expected 32 bytes from a random source, for example: openssl rand -base64 32"
    )
