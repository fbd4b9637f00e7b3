"""Signing keys derived once and kept for a while.

Deriving a key costs one HMAC in COS and four in SigV4, and clients reuse windows and dates. The cache is an
object its owner passes in, so the package stays without global state. It holds secrets in memory exactly as
the key snapshot does, and is keyed by them: a rotated secret never meets a key derived from the old one.
"""

from __future__ import annotations

from collections.abc import Callable

from cos.signing.keyed import KeyedDigest

MAX_SIGN_KEYS = 1024


class SignKeys:
    """A bounded cache of signing keys, oldest out first. Not for use by several threads at once.

    Only proven keys should be kept (`keep`): otherwise anyone could flush the cache by inventing windows.
    """

    __slots__ = ("_held", "_max_entries", "find")

    find: Callable[[tuple[str, str]], KeyedDigest | None]
    """The signing key for a secret and its purpose, a key time or a scope; None when it is not held."""

    def __init__(self, max_entries: int = MAX_SIGN_KEYS) -> None:
        if max_entries < 1:
            raise ValueError(f"expected at least one entry, got {max_entries}")
        self._held: dict[tuple[str, str], KeyedDigest] = {}
        self._max_entries = max_entries
        self.find = self._held.get

    def keep(self, secret_key: str, purpose: str, started: KeyedDigest) -> None:
        """Remember a key that has just proved right."""
        held = self._held
        if (secret_key, purpose) in held:
            return
        if len(held) >= self._max_entries:
            del held[next(iter(held))]
        held[secret_key, purpose] = started

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"SignKeys({len(self._held)} held)"
