"""Each table leaves the bytes of its grammar as they are, and tells every other byte."""

from __future__ import annotations

import re

import pytest

from cos.characters import FIELD_TEXT, NO_CONTROLS, PRINTABLE, UNRESERVED, VISIBLE, unchanged

GRAMMARS = {
    "field-text": (FIELD_TEXT, rb"[\t\x20-\x7e\x80-\xff]"),
    "visible": (VISIBLE, rb"[!-~]"),
    "printable": (PRINTABLE, rb"[ -~]"),
    "no-controls": (NO_CONTROLS, rb"[^\x00-\x1f\x7f]"),
    "unreserved": (unchanged(UNRESERVED), rb"[A-Za-z0-9\-._~]"),
    "one-byte": (unchanged(b"\x00"), rb"\x00"),
}


@pytest.mark.parametrize(("table", "grammar"), GRAMMARS.values(), ids=GRAMMARS)
def test_bytes_of_the_grammar_stay_and_no_others(table: bytes, grammar: bytes) -> None:
    allowed = next(byte for byte in range(256) if re.fullmatch(grammar, bytes([byte])))
    for byte in range(256):
        text = bytes([allowed, byte, allowed])
        assert (text.translate(table) == text) is (re.fullmatch(grammar, bytes([byte])) is not None), byte


def test_nothing_has_no_other_bytes() -> None:
    assert b"".translate(VISIBLE) == b""
