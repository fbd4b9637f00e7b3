"""Functions that remember what they gave."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.remembering import Memory, remembering
from cos.signing.encoding import encode_often, encode_value


def test_a_function_is_asked_once_for_an_argument() -> None:
    asked = list[str]()

    @remembering(8)
    def count(text: str) -> int:
        asked.append(text)
        return len(text)

    assert [count(text) for text in ("a", "bb", "a", "bb")] == [1, 2, 1, 2]
    assert asked == ["a", "bb"]


def test_it_remembers_no_more_than_it_may() -> None:
    asked = list[int]()

    def note(number: int) -> int:
        asked.append(number)
        return number

    memory = Memory(note, 3)
    for number in range(100):
        assert memory[number] == number
        assert memory[number] == number
        assert len(memory) <= 3
    assert asked == list(range(100))


def test_what_raises_is_not_remembered() -> None:
    answers: list[int | None] = [None, 7]

    @remembering(8)
    def answer(_: str) -> int:
        found = answers.pop(0)
        if found is None:
            raise COSError("InvalidArgument")
        return found

    with pytest.raises(COSError):
        answer("text")
    assert answer("text") == answer("text") == 7


def test_an_argument_that_is_not_to_be_kept_is_asked_for_each_time() -> None:
    asked = list[bytes]()

    def note(raw: bytes) -> int:
        asked.append(raw)
        return len(raw)

    memory = Memory(note, 8, keep=lambda raw: len(raw) < 3)
    assert [memory[raw] for raw in (b"ab", b"abc", b"ab", b"abc")] == [2, 3, 2, 3]
    assert asked == [b"ab", b"abc", b"abc"]
    assert list(memory) == [b"ab"]


@pytest.mark.parametrize(
    "raw", [b"", b"7", b"a/b c", b"bytes=0-1", "中".encode(), b"%\n/", b"a=b/" * 200, bytes(range(256))]
)
def test_an_encoding_that_may_be_remembered_is_the_encoding(raw: bytes) -> None:
    for _ in range(2):
        assert encode_often(raw).decode() == encode_value(raw)
