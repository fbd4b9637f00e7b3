"""Response heads are spelled as COS spells them, and nothing else of them changes."""

from __future__ import annotations

import pytest

from cos.header_names import spell_head


@pytest.mark.parametrize(
    ("sent", "spelled"),
    [
        (b"etag: x", b"ETag: x"),
        (b"content-length: 3", b"Content-Length: 3"),
        (b"last-modified: x", b"Last-Modified: x"),
        (b"x-cos-request-id: x", b"x-cos-request-id: x"),
        (b"x-cos-meta-etag: x", b"x-cos-meta-etag: x"),
        (b"ETag: x", b"ETag: x"),
        (b"unknown-name: x", b"unknown-name: x"),
        (b"server: etag: content-length:", b"Server: etag: content-length:"),
        (b"x-etag: x", b"x-etag: x"),
    ],
)
def test_known_names_are_spelled_and_the_rest_is_kept(sent: bytes, spelled: bytes) -> None:
    frame = b"HTTP/1.1 200 OK\r\ndate: y\r\n%s\r\n\r\n"
    assert spell_head(frame % sent) == b"HTTP/1.1 200 OK\r\nDate: y\r\n%s\r\n\r\n" % spelled
