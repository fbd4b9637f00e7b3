"""A credential by what chooses it: commands that choose as the gateway does need nothing more of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """Implements `gateway.credentials.choice.Candidate`. `account` is an APPID."""

    name: str
    account: str
