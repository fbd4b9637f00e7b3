"""One condition of readiness."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`detail` is for operators and holds no secret."""

    name: str
    ready: bool
    detail: str
