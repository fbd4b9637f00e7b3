"""How COS spells the names of response header fields.

HTTP does not care, but clients do: cos-python-sdk-v5 hands its caller a plain dict of the fields as received
(`put_object`: `response = dict(**rt.headers)`), so that programs read `ETag` and `Content-Length`, and coscmd
refuses to download when it finds no `Content-Length`. Observed with cos-python-sdk-v5 5.1.9.44 and coscmd 1.9.0.6.
Names of COS's own (`x-cos-…`) are lower-case on the wire.
"""

from __future__ import annotations

_SPELLED = {
    name.lower(): name
    for name in (
        b"Accept-Ranges",
        b"Access-Control-Allow-Headers",
        b"Access-Control-Allow-Methods",
        b"Access-Control-Allow-Origin",
        b"Access-Control-Expose-Headers",
        b"Access-Control-Max-Age",
        b"Cache-Control",
        b"Connection",
        b"Content-Disposition",
        b"Content-Encoding",
        b"Content-Language",
        b"Content-Length",
        b"Content-Range",
        b"Content-Type",
        b"Date",
        b"ETag",
        b"Expires",
        b"Last-Modified",
        b"Retry-After",
        b"Server",
        b"Transfer-Encoding",
        b"Vary",
    )
}


def spell_name(name: bytes) -> bytes:
    """A lower-case field name as COS spells it."""
    return _SPELLED.get(name, name)


def spell_head(head: bytes) -> bytes:
    """A response head (status line to empty line) whose lower-case field names are spelled as COS spells them."""
    lines = head.split(b"\r\n")
    for number, line in enumerate(lines):
        name = line[: line.find(b":")]
        if name in _SPELLED:
            # The spellings are of one length: only the name's bytes change.
            lines[number] = _SPELLED[name] + line[len(name) :]
    return b"\r\n".join(lines)
