"""Signing requests to the APIs of Tencent Cloud: TC3-HMAC-SHA256 over a JSON body.

Source: Tencent Cloud API 3.0, "Signature v3".
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

ALGORITHM = "TC3-HMAC-SHA256"
CONTENT_TYPE = "application/json; charset=utf-8"
SIGNED_HEADERS = "content-type;host;x-tc-action"


def canonical_request(host: str, action: str, payload: bytes) -> str:
    """What is signed of a POST to `/`:

    POST⏎/⏎⏎content-type:…⏎host:…⏎x-tc-action:…⏎⏎<signed headers>⏎<SHA-256 of the payload>
    """
    headers = f"content-type:{CONTENT_TYPE}\nhost:{host}\nx-tc-action:{action.lower()}\n"
    return f"POST\n/\n\n{headers}\n{SIGNED_HEADERS}\n{hashlib.sha256(payload).hexdigest()}"


def credential_scope(timestamp: int, service: str) -> str:
    """`2019-02-25/sts/tc3_request`: the UTC day, the service, a fixed end."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d}/{service}/tc3_request"


def string_to_sign(timestamp: int, scope: str, canonical: str) -> str:
    """TC3-HMAC-SHA256⏎<Unix seconds>⏎<scope>⏎<SHA-256 of the canonical request>"""
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode('utf-8')).hexdigest()}"


def signature(secret_key: str, scope: str, text: str) -> str:
    """The signature of a string to sign, by the key derived for that day and service."""
    key = f"TC3{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode("ascii"), "sha256")
    return hmac.new(key, text.encode("ascii"), "sha256").hexdigest()


def authorization(
    *, secret_id: str, secret_key: str, host: str, service: str, action: str, payload: bytes, timestamp: int
) -> str:
    """The Authorization field of a POST with that JSON payload."""
    scope = credential_scope(timestamp, service)
    text = string_to_sign(timestamp, scope, canonical_request(host, action, payload))
    signed = signature(secret_key, scope, text)
    return f"{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signed}"
