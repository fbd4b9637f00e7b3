"""XML, read strictly and written safely."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.xml import (
    MAX_DEPTH,
    MAX_ELEMENTS,
    COSErrorDocument,
    Element,
    element,
    escape,
    parse_error,
    parse_xml,
    read_root_tag,
    read_whole_root,
    render_document,
    render_error,
)

ERROR = b"<Error><Code>SlowDown</Code><Message>m</Message></Error>"


def parse(body: bytes) -> Element:
    return parse_xml(body, max_bytes=len(body))


@pytest.mark.parametrize(
    ("body", "root"),
    [
        pytest.param(b"<a/>", Element("a"), id="empty-element"),
        pytest.param(b"<a></a>", Element("a"), id="no-text"),
        pytest.param(b"<a> k </a>", Element("a", " k "), id="text-is-exact"),
        pytest.param(
            b"<a>\n <b>1</b>\n <c/>\n</a>", Element("a", "", (Element("b", "1"), Element("c"))), id="indented"
        ),
        pytest.param(b"<a>&lt;&amp;&quot;&#65;</a>", Element("a", '<&"A'), id="escapes"),
        pytest.param("<a>对象</a>".encode(), Element("a", "对象"), id="utf-8"),
        pytest.param(b"\xef\xbb\xbf<a/>", Element("a"), id="byte-order-mark"),
        pytest.param(b"<?xml version='1.0' encoding='UTF-8' ?>\n  <a/>  ", Element("a"), id="declaration"),
        pytest.param(
            b'<a xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><b/></a>', Element("a", "", (Element("b"),)), id="ns"
        ),
        pytest.param(b"<x:a xmlns:x='u'/>", Element("x:a"), id="prefix-stays"),
        pytest.param(
            b"<a><!-- c --><b>1</b></a>", Element("a", "", (Element("b", "1"),)), id="comment-between-elements"
        ),
        pytest.param(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH, None, id="deepest"),
    ],
)
def test_documents(body: bytes, root: Element | None) -> None:
    parsed = parse(body)
    if root is not None:
        assert parsed == root


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"   ", id="white-space"),
        pytest.param(b"{}", id="json"),
        pytest.param(b"<a>", id="not-closed"),
        pytest.param(b"<a></b>", id="closed-by-another"),
        pytest.param(b"<a/><a/>", id="two-roots"),
        pytest.param(b"  <?xml version='1.0'?><a/>", id="white-space-before-declaration"),
        pytest.param(b"<!DOCTYPE a><a/>", id="doctype"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', id="external-entity"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>', id="entity-expansion"),
        pytest.param(b"<a>&nbsp;</a>", id="unknown-entity"),
        pytest.param(b"<a>&#0;</a>", id="nul-reference"),
        pytest.param(b"<a>&#xd800;</a>", id="surrogate-reference"),
        pytest.param(b"<a>\x00</a>", id="nul"),
        pytest.param(b"<a>\x1b</a>", id="control"),
        pytest.param(b"<a>\xff</a>", id="not-utf-8"),
        pytest.param(b"<a>\xc0\xaf</a>", id="overlong"),
        pytest.param(b"<?xml version='1.0' encoding='GBK'?><a/>", id="other-encoding"),
        pytest.param("<a/>".encode("utf-16"), id="utf-16"),
        pytest.param("<a/>".encode("utf-16-le"), id="utf-16-without-mark"),
        pytest.param("<a/>".encode("utf-32"), id="utf-32"),
        pytest.param(b"<a>sec<!-- -->ret</a>", id="comment-in-text"),
        pytest.param(b"<a>sec<?p?>ret</a>", id="instruction-in-text"),
        pytest.param(b"<a>sec<![CDATA[ret]]></a>", id="cdata-in-text"),
        pytest.param(b"<a><![CDATA[secret]]></a>", id="cdata"),
        pytest.param(b"<a>text<b/></a>", id="text-beside-an-element"),
        pytest.param(b"<a><b/>text</a>", id="text-after-an-element"),
        pytest.param(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1), id="too-deep"),
        pytest.param(b"<a>" * 5000, id="much-too-deep"),
        pytest.param(b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>", id="too-many-elements"),
    ],
)
def test_other_documents_are_refused(body: bytes) -> None:
    with pytest.raises(COSError) as caught:
        parse(body)
    assert (caught.value.code, caught.value.status) == ("MalformedXML", 400)


def test_size_is_bounded_inclusively() -> None:
    assert parse_xml(b"<a/>", max_bytes=4) == Element("a")
    with pytest.raises(COSError) as caught:
        parse_xml(b"<a/>", max_bytes=3)
    assert caught.value.code == "XMLSizeLimit"


def test_children_are_found_by_tag() -> None:
    root = parse(b"<a><b>1</b><c>2</c><b>3</b></a>")
    assert [child.text for child in root.all("b")] == ["1", "3"]
    assert root.first("c") == Element("c", "2")
    assert root.first("d") is None
    assert (root.text_of("b"), root.text_of("d"), root.text_of("d", "-")) == ("1", "", "-")


def test_written_documents_are_escaped() -> None:
    root = element("a", element("b", "<&>\"'", "\r\n\t"), element("c"))
    assert render_document(root) == (
        b"<?xml version='1.0' encoding='utf-8' ?>\n<a><b>&lt;&amp;&gt;&quot;'&#13;\n\t</b><c></c></a>"
    )
    assert parse(render_document(root)) == root


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1b", "\x1f", "\ud800", "\ufffe", "\uffff"], ids=ascii)
def test_what_xml_cannot_carry_is_replaced(character: str) -> None:
    assert escape(f"a{character}b") == "a\ufffdb"
    assert parse(render_document(element("k", f"a{character}b"))).text == "a\ufffdb"


def test_an_element_holds_text_or_elements() -> None:
    assert element("a", "x", "y") == Element("a", "xy")
    with pytest.raises(ValueError, match="got both"):
        element("a", "x", element("b"))


def test_error_documents_are_flat_and_complete() -> None:
    body = render_error("AccessDenied", "no <&>", "/k", "req", "trace", (("HeadersNotSigned", "x-cos-acl"),))
    assert body == (
        b"<?xml version='1.0' encoding='utf-8' ?>\n<Error><Code>AccessDenied</Code><Message>no &lt;&amp;&gt;</Message>"
        b"<Resource>/k</Resource><RequestId>req</RequestId><TraceId>trace</TraceId>"
        b"<HeadersNotSigned>x-cos-acl</HeadersNotSigned></Error>"
    )


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_no_element_of_an_error_is_ever_empty(text: str) -> None:
    root = parse(render_error("SlowDown", text, text, text, text))
    assert [child.tag for child in root.children] == ["Code", "Message", "Resource", "RequestId", "TraceId"]
    assert all(child.text.strip() for child in root.children)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(ERROR, id="plain"),
        pytest.param(b"  \r\n\t " + ERROR + b" \n", id="keep-alive-white-space"),
        pytest.param(b"<?xml version='1.0' encoding='utf-8' ?>" + ERROR, id="declaration"),
        pytest.param(b" \n<?xml version='1.0'?>\n   " + ERROR, id="white-space-before-declaration"),
        pytest.param(b"\xef\xbb\xbf" + ERROR, id="byte-order-mark"),
        pytest.param(ERROR.replace(b"<Error>", b'<Error xmlns="http://example.com/doc">'), id="namespace"),
    ],
)
def test_an_error_inside_a_success_is_seen(body: bytes) -> None:
    assert parse_error(body) == COSErrorDocument(code="SlowDown", message="m")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"<Error>", "InternalError", id="cut-at-once"),
        pytest.param(b"<Error/>", "InternalError", id="empty"),
        pytest.param(b"<Error><Code></Code></Error>", "InternalError", id="empty-code"),
        pytest.param(b"<Error><Code>Int", "InternalError", id="cut-in-the-code"),
        pytest.param(b"<Error><Code>SlowDown</Code><Mess", "SlowDown", id="cut-after-the-code"),
        pytest.param(b"<Error><Code>SlowDown</Code>\xff", "SlowDown", id="not-utf-8"),
        pytest.param(b"<Error><Code>SlowDown</Code></Error>trailing", "SlowDown", id="trailing"),
        pytest.param(b"<Error><Code><![CDATA[SlowDown]]></Code></Error>", "InternalError", id="cdata"),
        pytest.param(b"<Error>" + b"<a>" * 100, "InternalError", id="too-deep"),
    ],
)
def test_a_damaged_error_is_still_an_error(body: bytes, code: str) -> None:
    assert parse_error(body) == COSErrorDocument(code=code)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"<Err",
        b"{}",
        b"<html><Error/></html>",
        b"<CopyPartResult><ETag>&quot;Error&quot;</ETag></CopyPartResult>",
        b"<CopyPartResult><Error><Code>a</Code></Error></CopyPartResult>",
        b"<!-- <Error> --><CopyPartResult/>",
        b"<error/>",
        b"<!DOCTYPE Error><Error/>",
        b"\x00",
    ],
)
def test_anything_else_is_no_error_document(body: bytes) -> None:
    assert parse_error(body) is None


def test_all_five_elements_of_an_error_are_read() -> None:
    body = render_error("NoSuchKey", "m", "/k", "req", "trace")
    assert parse_error(body) == COSErrorDocument("NoSuchKey", "m", "/k", "req", "trace")


@pytest.mark.parametrize(
    ("body", "tag"),
    [
        (b"<CopyPartResult><ETag>", "CopyPartResult"),
        (b"  <?xml version='1.0'?>\n <A/>", "A"),
        (b"<CopyPart", None),
        (b"", None),
        (b"<!DOCTYPE a><a/>", None),
        (b"<html>", "html"),
    ],
)
def test_root_tag_of_a_damaged_document(body: bytes, tag: str | None) -> None:
    assert read_root_tag(body) == tag


@pytest.mark.parametrize(
    ("body", "tag"),
    [
        (b"<CopyPartResult><ETag>e</ETag></CopyPartResult>", "CopyPartResult"),
        (b" \r\n<?xml version='1.0' encoding='utf-8' ?>\n<Error>", "Error"),
        (b'<?xml version="1.0" encoding="UTF-8"?><A xmlns="http://s3.amazonaws.com/doc/2006-03-01/">', "A"),
        (b"<?xml version='1.0'?>\n\n<A>", "A"),
        (b"<A b='c'>", "A"),
        (b"<!-- c --><A>", "A"),
        (b"<A\xff>", None),
        (b"<?xml version='1.0' encoding='utf-16'?><A>", None),
        (b"<A>\x00", None),
        (b"x<A>", None),
        (b"<!DOCTYPE A><A>", None),
        (b"<1>", None),
        (b"", None),
    ],
)
def test_the_root_is_told_without_a_parser_only_where_a_parser_would_agree(body: bytes, tag: str | None) -> None:
    assert read_root_tag(body) == tag


RESULT = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<CopyPartResult>\n\t<ETag>&quot;b1&quot;</ETag>\n'
    b"\t<LastModified>2026-08-01T08:00:00Z</LastModified>\n</CopyPartResult>"
)


@pytest.mark.parametrize(
    ("body", "root"),
    [
        (RESULT, "CopyPartResult"),
        (b" \n" + RESULT + b"\n", "CopyPartResult"),
        (RESULT.replace(b">\n", b">"), "CopyPartResult"),
        (RESULT.replace(b"&quot;", b'"'), "CopyPartResult"),
        (b'<A xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><B>b</B></A>', "A"),
        (b"<A><B>\xe4\xb8\xad</B></A>", "A"),
        (b"<A/>", "A"),
        (RESULT[:-1], None),
        (RESULT + b"<A/>", None),
        (RESULT + b"x", None),
        (b"<A>text<B>b</B></A>", None),
        (b"<A><B>b</C></A>", None),
        (b"<A><B>b</B></B>", None),
        (b"<A><B>&nope;</B></A>", None),
        (b"<A><B>& </B></A>", None),
        (b"<A><B>]]></B></A>", None),
        (b"<A><B>\x01</B></A>", None),
        (b"<A><B>\xff</B></A>", None),
        (b"<!DOCTYPE A><A><B>b</B></A>", None),
        (b"", None),
    ],
)
def test_a_document_is_whole_or_has_no_root(body: bytes, root: str | None) -> None:
    assert read_whole_root(body) == root
    try:
        parsed = parse_xml(body.lstrip(), max_bytes=1000).tag
    except COSError:
        parsed = None
    assert parsed == root, "the grammar of plain documents and the parser agree"
