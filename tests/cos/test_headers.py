"""The header multi-map."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.headers import AnswerFields, Headers

HEADERS = Headers.of([(b"Host", b" a "), (b"X-Cos-Meta-R", b"two"), (b"x-cos-meta-r", b"one"), (b"x-empty", b"")])


def test_names_are_lower_case_and_values_lose_surrounding_white_space() -> None:
    assert HEADERS.get(b"host") == b"a"
    assert b"Host" not in HEADERS
    assert list(HEADERS)[1] == (b"x-cos-meta-r", b"two")


def test_the_same_names_are_one_object_in_whatever_case_they_came() -> None:
    first, second = Headers.of([(b"Host", b"a"), (b"X-Id", b"")]), Headers.of([(b"host", b"b"), (b"x-id", b"c")])
    assert first.known is second.known
    assert first.known is not Headers.of([(b"x-id", b""), (b"host", b"a")]).known


def test_any_iterable_of_fields_is_read_once() -> None:
    assert tuple(Headers.of(iter([(b"A", b"1"), (b"b", b" 2\t")]))) == ((b"a", b"1"), (b"b", b"2"))
    assert tuple(Headers.of([])) == ()


def test_repeats_are_kept_in_order() -> None:
    assert HEADERS.get_all(b"x-cos-meta-r") == [b"two", b"one"]
    assert list(HEADERS.names()) == [b"host", b"x-cos-meta-r", b"x-empty"]
    assert len(HEADERS) == 4


def test_a_third_repeat_is_kept() -> None:
    assert Headers.of([(b"a", b"1"), (b"a", b"2"), (b"a", b"3")]).get_all(b"a") == [b"1", b"2", b"3"]


def test_changing_the_answer_does_not_change_the_headers() -> None:
    HEADERS.get_all(b"x-cos-meta-r").append(b"three")
    assert HEADERS.get_all(b"x-cos-meta-r") == [b"two", b"one"]


def test_absent_and_empty_are_different() -> None:
    assert HEADERS.get(b"x-absent") is None
    assert HEADERS.get_all(b"x-absent") == []
    assert HEADERS.get(b"x-empty") == b""
    assert HEADERS.text(b"x-absent") is None
    assert HEADERS.text(b"x-empty") == ""


def test_one_value_of_a_repeated_field_is_refused() -> None:
    with pytest.raises(COSError) as caught:
        HEADERS.get(b"x-cos-meta-r")
    assert caught.value.code == "InvalidRequest"


@pytest.mark.parametrize("value", [b"\xa0", "中".encode(), b"a\x00", b"a\x1b[0m", b"a\tb"])
def test_text_is_printable_ascii(value: bytes) -> None:
    with pytest.raises(COSError) as caught:
        Headers.of([(b"a", value)]).text(b"a")
    assert caught.value.code == "InvalidRequest"


def test_values_are_never_printed() -> None:
    assert "s3cret" not in repr(Headers.of([(b"authorization", b"s3cret")]))


@pytest.mark.parametrize("fields", [[], [(b"a", b"")], [(b"b", b"1"), (b"a", b"2"), (b"b", b"1")]], ids=len)
def test_fields_of_an_answer_keep_order_and_repeats(fields: list[tuple[bytes, bytes]]) -> None:
    assert list(AnswerFields.of(fields)) == fields
    assert list(AnswerFields.of(AnswerFields.of(iter(fields)))) == fields
