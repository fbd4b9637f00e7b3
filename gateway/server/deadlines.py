"""What a client may take its time for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a client may take, in seconds of the monotonic clock.

    `linger_seconds` is how long a request body is still read, and thrown away, after its answer was given: a
    connection closed with unread bytes would be reset, and the answer lost. `min_upload_bytes_per_second` is
    asked of a body over each `body_idle_seconds` in which the gateway itself did not stop reading; 0 asks nothing.
    """

    head_seconds: float
    body_idle_seconds: float
    keepalive_seconds: float
    linger_seconds: float = 5.0
    min_upload_bytes_per_second: float = 0.0
