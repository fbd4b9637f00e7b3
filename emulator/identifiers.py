"""Request, trace, upload and version IDs in the shapes COS gives them.

Source: reference page §6.1 (request and trace IDs), §4 (upload and version IDs).
"""

from __future__ import annotations

import base64
import secrets

_MAX_UNSIGNED = 2**64 - 1


def new_request_id(now: float) -> str:
    """Base64 of `<hex Unix time>_<hex>_<hex>_<hex>`."""
    text = f"{int(now):x}_{secrets.token_hex(4)}_{secrets.token_hex(2)}_{secrets.token_hex(4)}"
    return base64.b64encode(text.encode()).decode()


def new_trace_id() -> str:
    """Base64 of a long hex string; COS sends it with errors only."""
    return base64.b64encode(secrets.token_hex(48).encode()).decode()


def new_upload_id(now: float) -> str:
    """Ten digits of Unix time, then lower-case hex: the Go SDK's fallback parser accepts `[a-z0-9]+` only."""
    return f"{int(now):010d}{secrets.token_hex(31)}"


class VersionIds:
    """Version IDs: unpadded base64 of a long decimal that counts down, so that newer ones sort first."""

    def __init__(self) -> None:
        self._last_microsecond = 0

    def new(self, now: float) -> str:
        """An ID no earlier call returned, even within one microsecond."""
        self._last_microsecond = max(self._last_microsecond + 1, int(now * 1_000_000))
        return base64.b64encode(f"{_MAX_UNSIGNED - self._last_microsecond:020d}".encode()).decode().rstrip("=")
