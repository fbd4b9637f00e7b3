"""Percent-encoding as signatures need it: `A-Z a-z 0-9 - _ . ~` stay, every other byte becomes upper-case `%XX`.

Names are encoded and then lower-cased as a whole, so an encoded name carries lower-case hex (`x%2fy`); values
keep upper-case hex. Most names and many values need no encoding at all, hence the fast paths.

Source: COS API, "Request Signature" (436/7778); RFC 3986 §2.3; reference page §1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from cos.target import percent_decode

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
_UNRESERVED_AND_LF = _UNRESERVED + b"\n"
_ENCODED = tuple(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256))
_PERCENT = 0x25
_MAX_REPLACED = 12
"""Up to so many distinct bytes, replacing one after the other is faster than going byte by byte."""
_ENCODED_PATH = tuple("/" if byte == 0x2F else text for byte, text in enumerate(_ENCODED))


def encode_value(raw: bytes) -> str:
    """`a b/中` → `a%20b%2F%E4%B8%AD`."""
    reserved = raw.translate(None, _UNRESERVED)
    return _encode(raw, set(reserved)) if reserved else raw.decode("ascii")


def encode_values(values: Sequence[bytes]) -> list[str]:
    """`encode_value` of each, at once: the values of one request need the same few bytes encoded."""
    joined = b"\n".join(values)
    if not joined or joined.count(b"\n") != len(values) - 1:
        return [encode_value(value) for value in values]
    reserved = joined.translate(None, _UNRESERVED_AND_LF)
    if not reserved:
        return joined.decode("ascii").split("\n")
    distinct = set(reserved)
    if len(distinct) > _MAX_REPLACED:
        return [encode_value(value) for value in values]
    return _encode(joined, distinct).split("\n")


def _encode(raw: bytes, distinct: set[int]) -> str:
    """`raw` with the bytes in `distinct` encoded; LF stays where it is not among them."""
    if len(distinct) > _MAX_REPLACED:
        return "".join([_ENCODED[byte] for byte in raw])
    text = raw.decode("latin-1")
    if _PERCENT in distinct:
        # First, because every other replacement brings new percent signs.
        text = text.replace("%", "%25")
        distinct.remove(_PERCENT)
    for byte in distinct:
        text = text.replace(chr(byte), _ENCODED[byte])
    return text


@lru_cache(maxsize=1024)  # a pure function; names are few, and no secrets
def encode_name(raw: bytes) -> str:
    """`uploadId` → `uploadid`; `X/中` → `x%2f%e4%b8%ad`."""
    return encode_value(raw).lower()


def encode_path(raw: bytes) -> str:
    """`encode_value`, with `/` left as it is."""
    return "".join([_ENCODED_PATH[byte] for byte in raw])


def decode_name(canonical: str) -> bytes:
    """A canonical name back to the bytes it stands for, as far as case allows. Raises COSError(InvalidURI)."""
    if "%" not in canonical:
        return canonical.encode()
    return percent_decode(canonical.encode())
