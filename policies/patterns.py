"""Patterns over bucket names, object keys and principals: literal text in which `*` stands for any characters.

`*` also crosses `/`. There is no other wildcard, no escape and no folding: matching is case-sensitive on the
decoded text, without Unicode normalisation, because that is how COS tells keys apart.

Keys with a `.` or `..` segment are special. COS keeps them as they are, but a client, a mount or a proxy behind
the gateway may resolve them, so such a key must never profit from a prefix grant that the resolved key would
not have: `public/*` does not grant `public/../private/x`. See `Pattern.grants` and `Pattern.forbids`.
Source: threat model C5; design, invariant 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_STARS = re.compile(r"\*+")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_DOTS = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class Pattern:
    """One compiled pattern. `text` is its canonical form: runs of `*` are one `*`."""

    text: str
    _pieces: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The literal text between the stars: prefix, middles, suffix; nothing when there is no star."""

    def __post_init__(self) -> None:
        if not self.text or _CONTROL.search(self.text):
            raise ValueError("expected a pattern of at least one character, without control characters")
        if "*" not in self.text:
            object.__setattr__(self, "_pieces", ())
            return
        object.__setattr__(self, "text", _STARS.sub("*", self.text))
        object.__setattr__(self, "_pieces", tuple(self.text.split("*")))

    @property
    def literal(self) -> bool:
        """Whether the pattern stands for exactly one text."""
        return not self._pieces

    @property
    def matches_all(self) -> bool:
        """Whether it is the lone `*`."""
        return self.text == "*"

    def matches(self, text: str) -> bool:
        """Whether the whole text fits. Linear in its length: pieces are found leftmost first, never retried."""
        pieces = self._pieces
        if not pieces:
            return text == self.text
        if len(pieces) == 2:
            prefix, suffix = pieces
            return (
                text.startswith(prefix)
                and (not suffix or text.endswith(suffix))
                and len(text) >= len(prefix) + len(suffix)
            )
        prefix, suffix = pieces[0], pieces[-1]
        position, end = len(prefix), len(text) - len(suffix)
        if position > end or not text.startswith(prefix) or not text.endswith(suffix):
            return False
        for piece in pieces[1:-1]:
            found = text.find(piece, position, end)
            if found < 0:
                return False
            position = found + len(piece)
        return True

    def grants(self, key: str) -> bool:
        """Whether an allow statement with this pattern covers a key.

        A key with dot segments is covered by `*` alone, or by a pattern that spells each of them in full
        before its first or after its last star.
        """
        if not self.matches(key):
            return False
        if "./" not in key and not key.endswith("."):
            return True  # as most keys, without asking further
        return self.text == "*" or not has_dot_segment(key) or self._spells_dot_segments(key)

    def forbids(self, key: str) -> bool:
        """Whether a deny statement with this pattern covers a key; every key with dot segments is covered.

        What such a key resolves to elsewhere is not ours to guess, so a deny takes it in.
        """
        return self.matches(key) or has_dot_segment(key)

    def _spells_dot_segments(self, key: str) -> bool:
        if self.literal:
            return True
        prefix_end = len(self._pieces[0])
        suffix_start = len(key) - len(self._pieces[-1])
        start = 0
        for segment in key.split("/"):
            end = start + len(segment)
            # A neighbouring slash must be literal too: `a/..*` spells the dots of `a/..b`, not a segment.
            if segment in _DOTS and not (end < prefix_end or start > suffix_start):
                return False
            start = end + 1
        return True


def has_dot_segment(key: str) -> bool:
    """Whether a key, split at `/`, has a segment `.` or `..`."""
    if "./" not in key and not key.endswith("."):
        return False
    return not _DOTS.isdisjoint(key.split("/"))
