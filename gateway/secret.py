"""A text that cannot be printed by accident."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Holds a secret; `repr`, `str`, `format` and pickling show or give nothing. `reveal()` is the only way in."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself: call it where it is used, never to store or pass it on."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        raise TypeError("secrets are compared with hmac.compare_digest, not ==")

    __hash__ = None  # type: ignore[assignment]  # unhashable on purpose: no secret becomes a dictionary key

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")
