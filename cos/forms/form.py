"""multipart/form-data as an upload sends it: fields first, then one file, then nothing.

    --boundary⏎ Content-Disposition: form-data; name="key"⏎ ⏎ value⏎
    --boundary⏎ Content-Disposition: form-data; name="file"; filename="a.jpg"⏎ Content-Type: image/jpeg⏎ ⏎ content⏎
    --boundary--⏎

The fields are read whole and bounded, the file passes in pieces. A part behind the file is refused, and so is
a field that is there twice: both would be read differently by somebody else.

Source: COS API, "POST Object" (436/14690); RFC 7578; RFC 2046 §5.1.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cos.errors import COSError

MAX_HEAD_BYTES = 20 * 1024
"""Everything before the file's content."""
MAX_FIELDS = 100
FILE_FIELD = "file"

_BOUNDARY = re.compile(
    rb"multipart/form-data[ \t]*;[ \t]*boundary=(?:\"(?P<quoted>[0-9A-Za-z'()+_,./:=? -]{1,70})\""
    rb"|(?P<plain>[0-9A-Za-z'+_.-]{1,70}))[ \t]*(?:;[ \t]*charset=\"?utf-8\"?[ \t]*)?",
    re.IGNORECASE,
)
_DISPOSITION = re.compile(
    rb'form-data[ \t]*;[ \t]*name="(?P<name>[^"\r\n]{1,256})"'
    rb'(?:[ \t]*;[ \t]*filename="(?P<file>(?:[^"\r\n\\]|\\.){0,1024})")?'
    rb"(?:[ \t]*;[ \t]*filename\*=[^;\r\n]{1,1024})?[ \t]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Form:
    """What came before the file's content. `fields` by lower-case name, as text; they may hold a signature."""

    fields: dict[str, str] = field(repr=False)
    file_name: str

    def text(self, name: str) -> str | None:
        """A field by its lower-case name."""
        return self.fields.get(name)


def read_boundary(content_type: bytes) -> bytes:
    """The boundary a Content-Type names. Raises COSError(MalformedPOSTRequest)."""
    match = _BOUNDARY.fullmatch(content_type.strip())
    if match is None:
        raise _malformed("Content-Type: multipart/form-data with a boundary")
    return match["quoted"] or match["plain"]


class FormHeadReader:
    """Takes pieces of the body until the file's content begins."""

    def __init__(self, content_type: bytes) -> None:
        """Raises COSError(MalformedPOSTRequest)."""
        self.boundary = read_boundary(content_type)
        # A part begins behind CRLF; the first one need not.
        self._buffer = bytearray(b"\r\n")
        self._position = 0
        self._fields: dict[str, str] = {}

    def feed(self, piece: bytes) -> tuple[Form, bytes] | None:
        """The form, and the content that came with it; None when more is needed.

        Raises COSError(MalformedPOSTRequest, MaxPostPreDataLengthExceededError).
        """
        self._buffer += piece
        while True:
            part = self._next_part()
            if part is None:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise COSError("MaxPostPreDataLengthExceededError")
                return None
            name, file_name, start = part
            if name == FILE_FIELD:
                if start > MAX_HEAD_BYTES:
                    raise COSError("MaxPostPreDataLengthExceededError")
                return Form(self._fields, file_name or ""), bytes(self._buffer[start:])
            end = self._buffer.find(b"\r\n--" + self.boundary, start)
            if end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise COSError("MaxPostPreDataLengthExceededError")
                return None
            if name in self._fields or len(self._fields) >= MAX_FIELDS:
                raise _malformed(f"every field once and at most {MAX_FIELDS}, got another {name[:60]!r}")
            self._fields[name] = _text(bytes(self._buffer[start:end]))
            self._position = end

    def finish(self) -> COSError:
        """The error of a body that ended before its file."""
        return _malformed("a field named file")

    def _next_part(self) -> tuple[str, str | None, int] | None:
        """Name, file name and start of content of the part at the position; None when its head is not whole."""
        delimiter = b"\r\n--" + self.boundary
        begun = bytes(self._buffer[self._position : self._position + len(delimiter) + 2])
        if begun != delimiter + b"\r\n":
            if (delimiter + b"\r\n").startswith(begun):
                return None
            raise _malformed("a part that begins with the boundary, and a field named file")
        head_start = self._position + len(delimiter) + 2
        head_end = self._buffer.find(b"\r\n\r\n", head_start)
        if head_end < 0:
            return None
        match = None
        for line in bytes(self._buffer[head_start:head_end]).split(b"\r\n"):
            header, _, value = line.partition(b":")
            if header.strip().lower() == b"content-disposition":
                if match is not None:
                    raise _malformed("one Content-Disposition for each part")
                match = _DISPOSITION.fullmatch(value.strip())
                if match is None:
                    break
        if match is None:
            raise _malformed('parts with Content-Disposition: form-data; name="…"')
        file_name = match["file"]
        return _text(match["name"]).lower(), _text(file_name) if file_name is not None else None, head_end + 4


class FormFile:
    """The rest of the body: the file's content, up to the boundary that ends the form.

    `min_bytes` and `max_bytes` are what the policy allows, None for no bound.
    """

    def __init__(self, boundary: bytes, *, min_bytes: int | None, max_bytes: int | None) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._buffer = b""
        self._ended = False
        self._received_bytes = 0
        self._min_bytes = min_bytes
        self._max_bytes = max_bytes

    def feed(self, piece: bytes) -> bytes:
        """The content in the next piece. Raises COSError(EntityTooLarge, MalformedPOSTRequest)."""
        self._buffer += piece
        if self._ended:
            self._check_end()
            return b""
        end = self._buffer.find(self._delimiter)
        if end >= 0:
            self._ended = True
            content, self._buffer = self._buffer[:end], self._buffer[end + len(self._delimiter) :]
            self._check_end()
        else:
            # The delimiter may have begun in the last bytes.
            keep = len(self._delimiter) - 1
            content, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
        self._received_bytes += len(content)
        if self._max_bytes is not None and self._received_bytes > self._max_bytes:
            raise COSError("EntityTooLarge")
        return content

    def finish(self) -> None:
        """The body has ended. Raises COSError(EntityTooSmall, MalformedPOSTRequest)."""
        if not self._ended or not self._buffer.startswith(b"--"):
            raise _malformed("a boundary and two hyphens at the end")
        if self._min_bytes is not None and self._received_bytes < self._min_bytes:
            raise COSError("EntityTooSmall")

    def _check_end(self) -> None:
        if not b"--\r\n".startswith(self._buffer):
            raise _malformed("the file to be the last part of the form")


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("fields in UTF-8") from None


def _malformed(expected: str) -> COSError:
    return COSError("MalformedPOSTRequest", f"Expected {expected}.")
