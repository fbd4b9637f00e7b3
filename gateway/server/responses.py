"""Response heads as bytes: names spelled as COS spells them, refusals outside of any request.

Source: DESIGN §3.5; threat model C24.
"""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from cos.errors import COSError
from cos.header_names import spell_head, spell_name
from cos.remembering import remembering
from gateway.errors import error_body, error_headers
from gateway.identifiers import new_request_id

NO_TUNNEL = (
    "The gateway does not tunnel (CONNECT): use the http scheme with it as the proxy, or make it the endpoint; "
    "see docs/tls.md"
)
"""A tunnel would carry what cannot be judged. Most clients show their user this text and nothing else."""

_NOT_IN_NAMES = bytes(range(0x21)) + b'\x7f()<>@,;:\\[]={}"'


class Template(NamedTuple):
    """The fields of a response without their values, and where the values are that frame the body."""

    lines: bytes
    """One line for each field, with `%b` for its value."""
    length: int | None
    coding: int | None
    connection: int | None


@remembering(256)
def template_for(names: tuple[bytes, ...]) -> Template:
    """For these names, lower-case. Raises RuntimeError for what no response is to have."""
    joined = b"".join(names)
    if joined.translate(None, _NOT_IN_NAMES) != joined or not all(names):
        raise RuntimeError("expected header names of letters, digits and '-'")
    places = []
    for framing in (b"content-length", b"transfer-encoding", b"connection"):
        if names.count(framing) > 1:
            raise RuntimeError(f"expected {framing.decode('ascii')} once")
        places.append(names.index(framing) if framing in names else None)
    return Template(b"".join(spell_name(name).replace(b"%", b"%%") + b": %b\r\n" for name in names), *places)


@lru_cache(maxsize=64)
def opening(status: int, second: int) -> bytes:
    """The status line, without a phrase for a status nobody has named, and the date: Unix time, in seconds."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    date = formatdate(second, usegmt=True)
    return f"HTTP/1.1 {status} {phrase}\r\nDate: {date}\r\n".encode("ascii")


def render_refusal(error: COSError) -> bytes:
    """A refusal with nothing known of the request, ending the connection."""
    request_id = new_request_id()
    body = error_body(error, resource="/", request_id=request_id)
    fields = [
        (b"date", formatdate(usegmt=True).encode("ascii")),
        *error_headers(error, request_id),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    phrase = HTTPStatus(error.status).phrase
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        # A request for a tunnel: of what refuses it, programs show the reason phrase and not the body.
        phrase = error.message
        fields.append((b"allow", b"GET, HEAD, PUT, POST, DELETE, OPTIONS"))
    head = b"HTTP/1.1 %d %s\r\n" % (error.status, phrase.encode("ascii"))
    return spell_head(head + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n") + body
