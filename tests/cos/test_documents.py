"""The bodies of DELETE Multiple Objects and Complete Multipart Upload."""

from __future__ import annotations

import pytest

from cos.documents import (
    MAX_DELETED_OBJECTS,
    MAX_DOCUMENT_BYTES,
    MAX_PARTS,
    CompletedPart,
    DeleteObjects,
    read_complete_parts,
    read_delete_objects,
)
from cos.errors import COSError


def delete(*objects: str, before: str = "") -> bytes:
    return f"<Delete>{before}{''.join(f'<Object>{item}</Object>' for item in objects)}</Delete>".encode()


def complete(*parts: str) -> bytes:
    listed = "".join(f"<Part>{part}</Part>" for part in parts)
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(delete("<Key>a</Key>"), DeleteObjects(False, (("a", None),)), id="one"),
        pytest.param(
            delete("<Key>a</Key>", "<Key>a</Key>", before="<Quiet>true</Quiet>"),
            DeleteObjects(True, (("a", None), ("a", None))),
            id="quiet-and-repeated",
        ),
        pytest.param(
            delete("<VersionId>MTg</VersionId><Key>目录/ a&amp;b </Key>", before="<Quiet>False</Quiet>"),
            DeleteObjects(False, (("目录/ a&b ", "MTg"),)),
            id="version-and-exact-key",
        ),
        pytest.param(
            delete("<Key>a</Key><VersionId></VersionId>"), DeleteObjects(False, (("a", None),)), id="empty-version"
        ),
        pytest.param(delete("<Key>../a//b</Key>"), DeleteObjects(False, (("../a//b", None),)), id="dot-segments"),
        pytest.param(
            b'<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object></Delete>',
            DeleteObjects(False, (("a", None),)),
            id="s3-namespace",
        ),
    ],
)
def test_objects_to_delete(body: bytes, expected: DeleteObjects) -> None:
    assert read_delete_objects(body) == expected


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "MalformedXML", id="empty"),
        pytest.param(b"<Delete/>", "MalformedXML", id="no-object"),
        pytest.param(delete(before="<Quiet>true</Quiet>"), "MalformedXML", id="only-quiet"),
        pytest.param(b"<delete><Object><Key>a</Key></Object></delete>", "MalformedXML", id="root-in-other-case"),
        pytest.param(b"<Delete>a</Delete>", "MalformedXML", id="text"),
        pytest.param(delete(""), "MalformedXML", id="no-key"),
        pytest.param(delete("<Key>a</Key><Key>b</Key>"), "MalformedXML", id="two-keys"),
        pytest.param(delete("<Key>a</Key><key>b</key>"), "MalformedXML", id="key-in-other-case"),
        pytest.param(delete("<Key><Key>a</Key></Key>"), "MalformedXML", id="nested-key"),
        pytest.param(
            delete("<Key>a</Key><VersionId>1</VersionId><VersionId>2</VersionId>"), "MalformedXML", id="two-versions"
        ),
        pytest.param(
            delete("<Key>a</Key>", before="<object><Key>b</Key></object>"), "MalformedXML", id="object-in-other-case"
        ),
        pytest.param(
            b"<Delete xmlns:x='u'><Object><Key>a</Key></Object><x:Object><Key>b</Key></x:Object></Delete>",
            "MalformedXML",
            id="object-in-a-namespace",
        ),
        pytest.param(delete("<Key>a</Key>", before="<Quiet>maybe</Quiet>"), "MalformedXML", id="quiet-maybe"),
        pytest.param(
            delete("<Key>a</Key>", before="<Quiet>true</Quiet><Quiet>false</Quiet>"), "MalformedXML", id="two-quiets"
        ),
        pytest.param(delete("<Key>se<!-- -->cret</Key>"), "MalformedXML", id="key-in-pieces"),
        pytest.param(b"<!DOCTYPE Delete>" + delete("<Key>a</Key>"), "MalformedXML", id="doctype"),
        pytest.param(delete("<Key></Key>"), "InvalidURI", id="empty-key"),
        pytest.param(delete("<Key>a\nb</Key>"), "InvalidURI", id="line-feed-in-key"),
        pytest.param(delete(f"<Key>{'k' * 1025}</Key>"), "KeyTooLong", id="key-too-long"),
        pytest.param(delete("<Key>a</Key><VersionId>a b</VersionId>"), "InvalidArgument", id="bad-version"),
        pytest.param(delete(*["<Key>a</Key>"] * (MAX_DELETED_OBJECTS + 1)), "MalformedXML", id="1001-objects"),
        pytest.param(b" " * (MAX_DOCUMENT_BYTES + 1), "XMLSizeLimit", id="too-large"),
    ],
)
def test_other_delete_documents_are_refused(body: bytes, code: str) -> None:
    with pytest.raises(COSError) as caught:
        read_delete_objects(body)
    assert (caught.value.code, caught.value.status) == (code, 400)


def test_a_thousand_objects_may_be_deleted_at_once() -> None:
    read = read_delete_objects(delete(*(f"<Key>{i}</Key>" for i in range(MAX_DELETED_OBJECTS))))
    assert [item.key for item in read.objects] == [str(i) for i in range(MAX_DELETED_OBJECTS)]


def test_parts_are_read_in_the_order_given() -> None:
    body = complete(
        '<PartNumber>2</PartNumber><ETag>"b"</ETag>',
        "<ETag>&quot;a&quot;</ETag><PartNumber> 1 </PartNumber><ChecksumCRC32>AAAAAA==</ChecksumCRC32>",
        "<PartNumber>10000</PartNumber><ETag>c</ETag>",
    )
    assert read_complete_parts(body) == (CompletedPart(2, "b"), CompletedPart(1, "a"), CompletedPart(10_000, "c"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "MalformedXML", id="empty"),
        pytest.param(b"<CompleteMultipartUpload/>", "MalformedXML", id="no-part"),
        pytest.param(complete("<ETag>a</ETag>"), "MalformedXML", id="no-number"),
        pytest.param(complete("<PartNumber>1</PartNumber>"), "MalformedXML", id="no-etag"),
        pytest.param(
            complete("<PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>a</ETag>"),
            "MalformedXML",
            id="two-numbers",
        ),
        pytest.param(b"<Delete><Part/></Delete>", "MalformedXML", id="other-root"),
        pytest.param(b"<CompleteMultipartUpload><part/></CompleteMultipartUpload>", "MalformedXML", id="other-case"),
        pytest.param(complete("<PartNumber>0</PartNumber><ETag>a</ETag>"), "InvalidArgument", id="number-zero"),
        pytest.param(complete("<PartNumber>10001</PartNumber><ETag>a</ETag>"), "InvalidArgument", id="number-10001"),
        pytest.param(
            complete(*["<PartNumber>1</PartNumber><ETag>a</ETag>"] * (MAX_PARTS + 1)), "MalformedXML", id="10001-parts"
        ),
    ],
)
def test_other_part_lists_are_refused(body: bytes, code: str) -> None:
    with pytest.raises(COSError) as caught:
        read_complete_parts(body)
    assert caught.value.code == code


def test_ten_thousand_parts_may_be_completed() -> None:
    parts = (f"<PartNumber>{i}</PartNumber><ETag>{i}</ETag>" for i in range(1, MAX_PARTS + 1))
    assert len(read_complete_parts(complete(*parts))) == MAX_PARTS
