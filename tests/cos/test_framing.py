"""How long a body is, said exactly one way."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.framing import read_body_length
from cos.headers import Headers


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        pytest.param([], 0, id="no-body"),
        pytest.param([(b"content-length", b"0")], 0, id="empty"),
        pytest.param([(b"content-length", b"5368709120")], 5368709120, id="length"),
        pytest.param([(b"transfer-encoding", b"chunked")], None, id="chunked"),
        pytest.param([(b"transfer-encoding", b"Chunked")], None, id="chunked-in-any-case"),
    ],
)
def test_body_length(fields: list[tuple[bytes, bytes]], length: int | None) -> None:
    assert read_body_length(Headers(fields)) == length


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([(b"content-length", b"0"), (b"transfer-encoding", b"chunked")], id="both"),
        pytest.param([(b"transfer-encoding", b"gzip, chunked")], id="two-codings"),
        pytest.param([(b"transfer-encoding", b"identity")], id="identity"),
        pytest.param([(b"transfer-encoding", b"")], id="empty-coding"),
        pytest.param([(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], id="coding-twice"),
        pytest.param([(b"content-length", b"")], id="empty-length"),
        pytest.param([(b"content-length", b"+1")], id="sign"),
        pytest.param([(b"content-length", b"-1")], id="negative"),
        pytest.param([(b"content-length", b"1_0")], id="underscore"),
        pytest.param([(b"content-length", b"0x1")], id="hexadecimal"),
        pytest.param([(b"content-length", b"1, 1")], id="list"),
        pytest.param([(b"content-length", b"1" * 16)], id="16-digits"),
        pytest.param([(b"content-length", b"1"), (b"content-length", b"1")], id="length-twice"),
    ],
)
def test_other_framings_are_refused(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(COSError) as caught:
        read_body_length(Headers(fields))
    assert caught.value.code in ("InvalidRequest", "NotImplemented")
