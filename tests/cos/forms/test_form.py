"""multipart/form-data with one file at its end, in any cut, and everything that is not that."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.forms import MAX_HEAD_BYTES, Form, FormFile, FormHeadReader
from tests.support.forms import BOUNDARY, CONTENT_TYPE, render

FIELDS = [("key", "a/${filename}"), ("Content-Type", "image/jpeg"), ("x-cos-meta-名", "值 with\r\nline")]
CONTENT = b"\r\n--almost\r\n--" + BOUNDARY.encode()[:-1] + b"\x00\xff" * 50


def read(
    body: bytes,
    size: int = 1 << 20,
    *,
    content_type: str = CONTENT_TYPE,
    least: int | None = None,
    most: int | None = None,
) -> tuple[Form, bytes]:
    head = FormHeadReader(content_type.encode())
    form: Form | None = None
    file = FormFile(head.boundary, min_bytes=least, max_bytes=most)
    content = b""
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        if form is None:
            found = head.feed(piece)
            if found is None:
                continue
            form, piece = found
        content += file.feed(piece)
    if form is None:
        raise head.finish()
    file.finish()
    return form, content


def refusal(body: bytes, size: int = 1 << 20, **options: int) -> str:
    with pytest.raises(COSError) as caught:
        read(body, size, **options)  # type: ignore[arg-type]
    return caught.value.code


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 20])
@pytest.mark.parametrize("end", [b"--\r\n", b"--"], ids=["with a line end", "without"])
def test_any_cut_gives_the_fields_and_the_file(size: int, end: bytes) -> None:
    form, content = read(render(FIELDS, CONTENT, end=end), size)
    assert form.fields == {name.lower(): value for name, value in FIELDS}
    assert (form.file_name, content) == ("photo.jpg", CONTENT)


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_an_empty_file_is_a_file(size: int) -> None:
    assert read(render([], b""), size)[1] == b""


@pytest.mark.parametrize(
    "content_type",
    [
        f'multipart/form-data; boundary="{BOUNDARY}"',
        f"Multipart/Form-Data;boundary={BOUNDARY}",
        f"{CONTENT_TYPE}; charset=utf-8",
    ],
    ids=["quoted", "case", "charset"],
)
def test_a_boundary_is_read_as_programs_write_it(content_type: str) -> None:
    assert read(render(FIELDS, CONTENT), content_type=content_type)[1] == CONTENT


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=a\r\nb",
     f"multipart/form-data; boundary={'b' * 71}", "multipart/mixed; boundary=a"],
)  # fmt: skip
def test_what_is_not_a_form_is_refused(content_type: str) -> None:
    with pytest.raises(COSError) as caught:
        FormHeadReader(content_type.encode())
    assert caught.value.code == "MalformedPOSTRequest"


@pytest.mark.parametrize(
    "body",
    [
        render(FIELDS, CONTENT, after=[("key", "b")]),
        render(FIELDS, CONTENT, after=[("submit", "Upload")]),
        render([*FIELDS, ("Key", "b")], CONTENT),
        render([(f"x-ignore-{number}", "") for number in range(101)], CONTENT),
        render(FIELDS, CONTENT, end=b"--\r\nmore"),
        render(FIELDS, CONTENT, end=b""),
        render(FIELDS, CONTENT, end=b"\r\n"),
        render(FIELDS, CONTENT)[:-40],
        render([], CONTENT).replace(b'name="file"', b"name=file"),
        render([], CONTENT).replace(b"form-data; ", b"attachment; "),
        render([], CONTENT).replace(b"Content-Disposition", b"Content-Position"),
        render([], CONTENT).replace(b"--" + BOUNDARY.encode(), b"preamble", 1),
        render([("key", "a")], b"")[: render([("key", "a")], b"").index(b'name="file"')] + b"\r\n",
        render([("key", "x")], CONTENT).replace(b"\r\n\r\nx\r\n", b"\r\n\r\n\xff\r\n"),
        b"",
        b"key=a&file=b",
    ],
    ids=[
        "a field behind the file", "a button behind the file", "a field twice", "too many fields", "an epilogue",
        "no hyphens", "another part", "cut short", "unquoted name", "not form-data", "no disposition", "a preamble",
        "no file", "not UTF-8", "nothing", "another encoding",
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [11, 1 << 20])
def test_a_form_that_is_not_fields_and_one_file_is_refused(body: bytes, size: int) -> None:
    assert refusal(body, size) == "MalformedPOSTRequest"


@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_fields_are_bounded(size: int) -> None:
    assert refusal(render([("key", "x" * MAX_HEAD_BYTES)], CONTENT), size) == "MaxPostPreDataLengthExceededError"
    assert read(render([("key", "x" * (MAX_HEAD_BYTES - 1000))], CONTENT), size)[1] == CONTENT


@pytest.mark.parametrize(("least", "most", "code"), [(6, 9, "EntityTooSmall"), (0, 4, "EntityTooLarge")])
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_file_of_another_size_than_the_policy_allows_is_refused(least: int, most: int, code: str, size: int) -> None:
    assert refusal(render([], b"12345"), size, least=least, most=most) == code


@pytest.mark.parametrize(("least", "most"), [(5, 5), (0, 5), (5, 9)])
def test_a_file_at_the_edges_of_the_range_is_taken(least: int, most: int) -> None:
    assert read(render([], b"12345"), 3, least=least, most=most)[1] == b"12345"
