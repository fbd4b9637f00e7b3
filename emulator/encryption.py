"""Server-side encryption, as far as its headers go: nothing is encrypted here, but whose key it would be is kept to.

What was written with a customer's key is read, copied and continued only with that key. COS demands https for such
keys; the emulator listens on loopback.

Source: COS API, "Server-side Encryption Headers"; reference page §3.1, §3.7; AWS, S3 API, "Using SSE-C".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from cos.errors import COSError
from cos.request import Request
from emulator.store.model import Metadata

ALGORITHM = "AES256"
KEY_BYTES = 32

_CUSTOMER = "server-side-encryption-customer-"


def read_encryption(request: Request) -> tuple[str, str]:
    """`AES256` or empty for keys of COS's own, and the MD5 of a customer's key or empty: what a write asks for.

    Raises COSError(SSEContentNotSupported, InvalidArgument).
    """
    customer = read_customer_key(request, _CUSTOMER)
    encryption = (request.control("server-side-encryption") or b"").decode("latin-1")
    if encryption not in ("", ALGORITHM):
        raise COSError("SSEContentNotSupported", f"Expected server-side encryption AES256, got {encryption[:40]!r}.")
    if encryption and customer:
        raise COSError("InvalidArgument", "Expected a key of COS or of the customer, got both.")
    return encryption, customer


def read_customer_key(request: Request, prefix: str) -> str:
    """The MD5 (base64) of the key that three headers give; empty without them. Raises COSError(InvalidArgument)."""
    algorithm, key, key_md5 = (
        (request.control(prefix + name) or b"").decode("latin-1") for name in ("algorithm", "key", "key-md5")
    )
    if not (algorithm or key or key_md5):
        return ""
    if algorithm != ALGORITHM:
        raise COSError("InvalidArgument", f"Expected the customer algorithm AES256, got {algorithm[:40]!r}.")
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    computed = base64.b64encode(hashlib.md5(raw, usedforsecurity=False).digest()).decode("ascii")
    if len(raw) != KEY_BYTES or not hmac.compare_digest(computed.encode(), key_md5.encode("latin-1")):
        raise COSError("InvalidArgument", f"Expected a customer key of {KEY_BYTES} bytes in base64, and its MD5.")
    return computed


def check_customer_key(request: Request, metadata: Metadata, *, source: bool = False) -> None:
    """Refuse to read, or continue, what another key made. `source` looks at the headers about a copy's source.

    Raises COSError(SsecDecryptHeaderInvalid, SSEHeaderNotAllowed, InvalidArgument).
    """
    given = read_customer_key(request, f"copy-source-{_CUSTOMER}" if source else _CUSTOMER)
    if given and not metadata.customer_key_md5:
        raise COSError("SSEHeaderNotAllowed", "Expected no customer key: the object was made without one.")
    if given != metadata.customer_key_md5:
        raise COSError("SsecDecryptHeaderInvalid")
