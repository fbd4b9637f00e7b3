"""Percent-encoding as signatures need it: `A-Z a-z 0-9 - _ . ~` stay, every other byte becomes upper-case `%XX`.

Names are encoded and then lower-cased as a whole, so an encoded name carries lower-case hex (`x%2fy`); values
keep upper-case hex. Most names and many values need no encoding at all, hence the fast paths.

Source: COS API, "Request Signature" (436/7778); RFC 3986 §2.3; reference page §1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from cos.characters import UNRESERVED, unchanged
from cos.remembering import Memory
from cos.target import percent_decode

_FREQUENT = b"%/="
"""Reserved bytes that are in the values of nearly every request."""
_SEEN_TO = UNRESERVED + _FREQUENT + b"\n"
_ALL_SEEN_TO = unchanged(_SEEN_TO)
_BYTES = tuple(bytes((byte,)) for byte in range(256))
_ENCODED = tuple(_BYTES[byte] if byte in UNRESERVED else b"%%%02X" % byte for byte in range(256))
_ENCODED_PATH = tuple("/" if byte == 0x2F else text.decode("ascii") for byte, text in enumerate(_ENCODED))
_MAX_OFTEN_BYTES = 512
"""Longest value of which the encoding is remembered."""
_MAX_REPLACED = 12
"""Up to so many distinct bytes, replacing one after the other is faster than going byte by byte."""


def encode_value(raw: bytes) -> str:
    """`a b/中` → `a%20b%2F%E4%B8%AD`."""
    return encode_values((raw,))[0].decode("ascii")


def encode_values(values: Sequence[bytes]) -> list[bytes]:
    """`encode_value` of each, as bytes, at once: the values of one request need the same few bytes encoded."""
    joined = b"\n".join(values)
    # Percent signs go first, because every other replacement brings new ones. Line feeds part the values.
    encoded = joined.replace(b"%", b"%25").replace(b"/", b"%2F").replace(b"=", b"%3D")
    if joined.translate(_ALL_SEEN_TO) != joined:
        distinct = set(joined.translate(None, _SEEN_TO))
        if len(distinct) > _MAX_REPLACED:
            return [_encode(value) for value in values]
        for byte in distinct:
            encoded = encoded.replace(_BYTES[byte], _ENCODED[byte])
    parted = encoded.split(b"\n")
    return parted if len(parted) == len(values) else [_encode(value) for value in values]


def _encode_one(raw: bytes) -> bytes:
    return raw if raw.isalnum() else encode_values((raw,))[0]


encode_often = Memory(_encode_one, 1024, keep=lambda raw: len(raw) <= _MAX_OFTEN_BYTES).__getitem__
"""The same of one value that is in many requests and is no secret."""


def _encode(raw: bytes) -> bytes:
    return b"".join([_ENCODED[byte] for byte in raw]) if raw.translate(None, UNRESERVED) else raw


@lru_cache(maxsize=256)  # a pure function; names are few, and no secrets
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
