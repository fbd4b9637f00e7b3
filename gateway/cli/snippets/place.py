"""Where a gateway is, as far as snippets care."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

SAMPLE_KEY = "incoming/film.mov"
"""What every snippet copies, to films/film.mov."""


def goes_by_name(endpoint: str) -> bool:
    """Whether a COS client asks `<bucket>.<host>`: over TLS always, as a proxy sees nothing of it but a tunnel."""
    return urlsplit(endpoint).scheme == "https" or has_bucket_names(endpoint)


def has_bucket_names(endpoint: str) -> bool:
    """Whether `<bucket>.<host>` can be looked up: not for addresses and localhost."""
    host = urlsplit(endpoint).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host != "localhost"
    return False
