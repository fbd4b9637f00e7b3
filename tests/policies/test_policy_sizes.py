"""Sizes have one meaning each."""

from __future__ import annotations

import pytest

from policies.sizes import parse_size, render_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("9" * 18, 10**18 - 1),
        ("1048576", 1048576),
        ("1KiB", 1024),
        ("1 MiB", 1024**2),
        ("5GiB", 5 * 1024**3),
        ("2TiB", 2 * 1024**4),
    ],
)
def test_bytes_and_binary_units_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "-1", "1.5GiB", "1_000", "１MiB", "MiB", "1mib", "1MIB", "1 B", "0x10", "1e6", "1GiB ", "9" * 19, "1  MiB"],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1.5GiB", "expected a size: whole bytes, or a whole number of KiB, MiB, GiB or TiB"),
        ("1MB", "expected a size in bytes, KiB, MiB, GiB or TiB, not MB; write 1MiB (binary), or the number of bytes"),
        ("5 G", "expected a size in bytes, KiB, MiB, GiB or TiB, not G; write 5GiB (binary), or the number of bytes"),
        ("2kb", "expected a size in bytes, KiB, MiB, GiB or TiB, not kb; write 2KiB (binary), or the number of bytes"),
        ("5Q", "expected a size in bytes, KiB, MiB, GiB or TiB, not Q"),
    ],
)
def test_a_unit_of_two_meanings_is_refused_with_its_binary_spelling(text: str, error: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_size(text)
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (91, "91 bytes"),
        (1024, "1 KiB"),
        (1024**3, "1 GiB"),
        (1024**3 + 1, "1073741825 bytes"),
        (1025 * 1024**2, "1025 MiB"),
        (1023, "1023 bytes"),
        (2 * 1024**4, "2 TiB"),
    ],
)
def test_sizes_are_written_exactly(size: int, text: str) -> None:
    assert render_size(size) == text
