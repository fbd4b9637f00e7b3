"""Services that keep a key which never leaves them: they wrap the master keys, and unwrap them at the start.

A new one (a cloud's KMS) is one file with a class that implements KeyService, and its line in `key_service_of`
(`gateway.credential_services`). Wrapped keys are text, one a line, the current one first.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Protocol

from gateway.credentials.master_key import MasterKey, MasterKeyError, new_master_key, parse_master_keys
from gateway.stores.files import replace_file

MAX_FILE_BYTES = 64 * 1024
MAX_WRAPPED_KEYS = 16


class KeyService(Protocol):
    """Wraps and unwraps small secrets."""

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    async def wrap(self, plain: bytes) -> str:
        """Raises MasterKeyError."""
        ...

    async def unwrap(self, wrapped: str) -> bytes:
        """Raises MasterKeyError."""
        ...


async def unwrap_master_keys(service: KeyService, path: Path) -> tuple[MasterKey, ...]:
    """The master keys of a file of wrapped ones, the current one first. Raises MasterKeyError."""
    words = []
    for wrapped in read_wrapped_keys(path):
        plain = await service.unwrap(wrapped)
        words.append(base64.b64encode(plain).decode("ascii"))
    return parse_master_keys(" ".join(words), source=f"{path}, unwrapped by {service.name}")


def read_wrapped_keys(path: Path) -> list[str]:
    """The lines of a file of wrapped keys. Raises MasterKeyError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        words = raw.decode("ascii").split()
    except OSError as error:
        raise MasterKeyError(f"Expected wrapped master keys at {path}, got: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise MasterKeyError(f"Expected wrapped master keys as text in {path}, got binary data.") from None
    if len(raw) > MAX_FILE_BYTES or not 0 < len(words) <= MAX_WRAPPED_KEYS:
        raise MasterKeyError(f"Expected 1 to {MAX_WRAPPED_KEYS} wrapped master keys in {path}, got {len(words)}.")
    return words


async def add_wrapped_key(service: KeyService, path: Path) -> MasterKey:
    """Make a master key and put it, wrapped, before those of the file, which is made when missing.

    The file holds the old keys or all of them, whatever happens meanwhile. Raises MasterKeyError, OSError.
    """
    known = _known(path)
    if len(known) >= MAX_WRAPPED_KEYS:
        raise MasterKeyError(f"Expected fewer than {MAX_WRAPPED_KEYS} wrapped master keys in {path}; remove old ones.")
    key = new_master_key()
    wrapped = await service.wrap(key.raw)
    # Unwrapped again before anything depends on it.
    if await service.unwrap(wrapped) != key.raw:
        raise MasterKeyError(f"{service.name} unwrapped another key than it had wrapped.")
    replace_file(path, "".join(f"{line}\n" for line in [wrapped, *known]).encode("ascii"))
    return key


def _known(path: Path) -> list[str]:
    return read_wrapped_keys(path) if path.exists() else []
