"""XML as COS speaks it: small documents of nested elements, without attributes, comments or entities.

Reading is strict. A document that two parsers could read differently is refused, because its bytes are
relayed after they were judged: a DOCTYPE, another encoding than UTF-8, text cut in pieces by comments,
processing instructions or CDATA (some parsers see the first piece only), text beside elements. Namespace
declarations are ignored; a prefix stays part of the tag, so that it matches nothing.

Writing escapes everything. Characters that XML 1.0 cannot carry are written as U+FFFD: a listing that must
be exact about such keys asks for `encoding-type=url`.

Source: XML 1.0 §2.2, §2.11; COS API, "Error Codes" (436/7730); reference page §6.1; threat model C13.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pyexpat import ExpatError, ParserCreate

from cos.errors import COSError

MAX_DEPTH = 32
MAX_ELEMENTS = 50_000
"""Enough for 10,000 parts of four elements each."""

_DECLARATION = "<?xml version='1.0' encoding='utf-8' ?>\n"
_WHITE_SPACE = b" \t\r\n"
# Quantifiers that give nothing back: what does not match is found out in one pass.
_PLAIN_START = re.compile(
    rb"[ \t\r\n]*+"
    rb"(?:<\?xml version=(?:'1\.0'|\"1\.0\")(?: encoding=(?:'(?i:utf-8)'|\"(?i:utf-8)\"))? ?\?>[ \t\r\n]*+)?+"
    rb'<(?P<root>[A-Za-z][A-Za-z0-9]*+)(?: xmlns="[A-Za-z0-9:/.-]*+")?+>'
)
"""How COS's documents begin, in every spelling seen: no parser is needed to tell their root."""
_PLAIN_CHARACTERS = rb"[\t\n\r -%'-;=?-\\^-~]*+"
_PLAIN_TEXT = _PLAIN_CHARACTERS + rb"(?:&(?:amp|lt|gt|quot|apos);" + _PLAIN_CHARACTERS + rb")*+"
_PLAIN_DOCUMENT = re.compile(
    _PLAIN_START.pattern.removeprefix(rb"[ \t\r\n]*+")
    + rb"(?:[ \t\r\n]*+<([A-Za-z][A-Za-z0-9]*+)>"
    + _PLAIN_TEXT
    + rb"</\2>)++[ \t\r\n]*+</(?P=root)>[ \t\r\n]*+"
)
"""One element that holds elements of ASCII text (without `>` and `]`, as in `]]>`), all of them closed."""
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})


@dataclass(frozen=True, slots=True)
class Element:
    """One element: it holds either text, exactly as written, or child elements."""

    tag: str
    text: str = ""
    children: tuple[Element, ...] = ()

    def all(self, tag: str) -> list[Element]:
        """Every child of that tag, in order."""
        return [child for child in self.children if child.tag == tag]

    def first(self, tag: str) -> Element | None:
        """The first child of that tag."""
        return next((child for child in self.children if child.tag == tag), None)

    def text_of(self, tag: str, default: str = "") -> str:
        """The text of the first child of that tag, or the default when there is none."""
        child = self.first(tag)
        return child.text if child is not None else default


@dataclass(frozen=True, slots=True)
class COSErrorDocument:
    """What an `<Error>` document says. Missing and damaged elements are empty; the code never is."""

    code: str = "InternalError"
    message: str = ""
    resource: str = ""
    request_id: str = ""
    trace_id: str = ""


def parse_xml(body: bytes, *, max_bytes: int) -> Element:
    """The root element of a document. Raises COSError(MalformedXML, XMLSizeLimit)."""
    if len(body) > max_bytes:
        raise COSError("XMLSizeLimit", f"Expected an XML body of at most {max_bytes} bytes, got {len(body)}.")
    builder = _Builder()
    try:
        builder.feed(body)
    except ExpatError as error:
        raise COSError("MalformedXML", f"Expected well-formed XML: {error}.") from None
    if builder.root is None:
        raise COSError("MalformedXML", "Expected an XML document, got an empty one.")
    return builder.root


def read_root_tag(body: bytes) -> str | None:
    """The tag of the first element, even when the document is damaged after it; None when there is none.

    White space before the document is allowed: COS keeps connections alive with it.
    """
    plain = _PLAIN_START.match(body)
    if plain is not None and b"\x00" not in body:
        return plain["root"].decode("ascii")
    builder = _RootBuilder()
    with contextlib.suppress(ExpatError, COSError):
        builder.feed(body.lstrip(_WHITE_SPACE))
    return builder.tag


def read_plain_root(body: bytes) -> str | None:
    """The tag of a document as plain as the results COS answers with; None: whoever wants to know must parse it."""
    plain = _PLAIN_DOCUMENT.fullmatch(body)
    return plain["root"].decode("ascii") if plain is not None else None


def read_whole_root(body: bytes) -> str | None:
    """The tag of a body that is one well-formed document, None when it is not. Raises nothing.

    White space before it is allowed, as in `read_root_tag`.
    The plain results COS answers with are told by their grammar; everything else is parsed.
    """
    body = body.lstrip(_WHITE_SPACE)
    root = read_plain_root(body)
    if root is not None:
        return root
    try:
        return parse_xml(body, max_bytes=len(body)).tag
    except COSError:
        return None


def parse_error(body: bytes) -> COSErrorDocument | None:
    """The error a response body reports, or None when its root is not `<Error>`. Never raises.

    COS reports the failure of a copy and of Complete inside a response of status 200, perhaps after white
    space. A body that begins as an error is one, even if the rest of it is damaged or cut: then the elements
    that were whole before the damage are told.
    """
    if read_root_tag(body) != "Error":
        return None
    builder = _Builder()
    with contextlib.suppress(ExpatError, COSError):
        builder.feed(body.strip(_WHITE_SPACE))
    root = Element("Error", "", builder.whole_children)
    return COSErrorDocument(
        code=root.text_of("Code").strip() or "InternalError",
        message=root.text_of("Message").strip(),
        resource=root.text_of("Resource").strip(),
        request_id=root.text_of("RequestId").strip(),
        trace_id=root.text_of("TraceId").strip(),
    )


def element(tag: str, *content: Element | str) -> Element:
    """An element with children, or with text (several texts are joined). Raises ValueError for both at once.

    The tag is a constant of the program; it is the one thing that is not escaped.
    """
    children = tuple(item for item in content if isinstance(item, Element))
    text = "".join(item for item in content if isinstance(item, str))
    if children and text:
        raise ValueError(f"expected text or elements in <{tag}>, got both")
    return Element(tag, text, children)


def render_document(root: Element) -> bytes:
    """A document in UTF-8 with the declaration COS writes. Parsing gives the element back."""
    pieces = [_DECLARATION]
    _render(root, pieces)
    return "".join(pieces).encode("utf-8")


def render_error(
    code: str,
    message: str,
    resource: str,
    request_id: str,
    trace_id: str,
    details: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """An error document, flat, with the five elements never empty; `details` follow them.

    The Python SDK drops the whole error when one of the first four is empty, Java when one is nested.
    """
    named = (
        ("Code", code.strip() or "InternalError"),
        ("Message", message.strip() or code),
        ("Resource", resource.strip() or "/"),
        ("RequestId", request_id.strip() or "-"),
        ("TraceId", trace_id.strip() or "-"),
    )
    return render_document(element("Error", *(Element(tag, text) for tag, text in (*named, *details))))


def escape(text: str) -> str:
    """Text as XML content: escaped, with U+FFFD for what XML cannot carry."""
    return _NOT_XML.sub("\ufffd", text).translate(_ESCAPES)


def _render(node: Element, pieces: list[str]) -> None:
    pieces.append(f"<{node.tag}>")
    if node.text:
        pieces.append(escape(node.text))
    for child in node.children:
        _render(child, pieces)
    pieces.append(f"</{node.tag}>")


class _Frame:
    """An element that is still open. `cut`: something other than text stands between its pieces of text."""

    __slots__ = ("children", "cut", "tag", "text")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.text: list[str] = []
        self.children: list[Element] = []
        self.cut = False


class _Builder:
    """Expat's events → elements."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[_Frame] = []
        self._count = 0

    @property
    def whole_children(self) -> tuple[Element, ...]:
        """The root's children that are complete, however the document went on."""
        if self.root is not None:
            return self.root.children
        return tuple(self._open[0].children) if self._open else ()

    def feed(self, body: bytes) -> None:
        """Parse a whole document. Raises ExpatError, COSError(MalformedXML)."""
        # Expat obeys a UTF-16 byte order mark even when told the encoding, and NUL betrays UTF-16 without one.
        if b"\x00" in body or body.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise COSError("MalformedXML", "Expected XML in UTF-8.")
        parser = ParserCreate("utf-8")
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = self._comment
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartCdataSectionHandler = self._cdata
        parser.Parse(body, True)

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise COSError("MalformedXML", f"Expected XML in UTF-8, got {encoding[:40]!r}.")

    def _doctype(self, name: str, system_id: str | None, public_id: str | None, has_internal_subset: bool) -> None:
        raise COSError("MalformedXML", "Expected XML without a DOCTYPE.")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise COSError(
                "MalformedXML", f"Expected at most {MAX_ELEMENTS} elements, nested at most {MAX_DEPTH} deep."
            )
        self._open.append(_Frame(tag))

    def _end(self, tag: str) -> None:
        frame = self._open.pop()
        text = "".join(frame.text)
        if frame.children and not text.strip():
            text = ""
        if text and (frame.children or (frame.cut and text.strip())):
            raise COSError("MalformedXML", f"Expected the text of <{tag[:40]}> in one piece and by itself.")
        closed = Element(frame.tag, text, tuple(frame.children))
        if self._open:
            self._open[-1].children.append(closed)
        else:
            self.root = closed

    def _text(self, text: str) -> None:
        self._open[-1].text.append(text)

    def _comment(self, text: str) -> None:
        self._cut()

    def _instruction(self, target: str, text: str) -> None:
        self._cut()

    def _cdata(self) -> None:
        self._cut()

    def _cut(self) -> None:
        if self._open:
            self._open[-1].cut = True


class _RootBuilder(_Builder):
    """Stops at the first element."""

    def __init__(self) -> None:
        super().__init__()
        self.tag: str | None = None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        raise COSError("MalformedXML", "Nothing after the first element is read.")
