"""Whatever arrives parses, or raises COSError, and nothing else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cos.address import Domains, Level, parse_address, parse_host
from cos.byte_range import parse_byte_range
from cos.conditions import CONDITION_NAMES, parse_conditions
from cos.copy_source import parse_copy_source
from cos.documents import read_complete_parts, read_delete_objects
from cos.errors import COSError
from cos.operations import find_operation
from cos.request import METHODS, Dialect, read_request
from cos.target import parse_query, parse_target, percent_decode
from cos.values import (
    parse_bucket,
    parse_object_key,
    parse_part_number,
    parse_region,
    parse_upload_id,
    parse_version_id,
)
from cos.xml import escape, parse_error, parse_xml, read_root_tag

DOMAINS = Domains(("gw.example.com", "127.0.0.1", "[::1]"))

refusal = contextlib.suppress(COSError)


def near(*pieces: bytes) -> st.SearchStrategy[bytes]:
    """Bytes near the grammar: its own pieces and arbitrary bytes, in any order. Pure noise rarely gets far."""
    return st.lists(st.sampled_from(pieces) | st.binary(max_size=3), max_size=12).map(b"".join) | st.binary(max_size=80)


hosts = near(
    b"src-1250000000", b".", b"cos", b"ap-guangzhou", b"myqcloud.com", b"gw.example.com", b":", b"80", b"[::1]"
)
sources = near(
    b"src-1250000000.cos.ap-guangzhou.myqcloud.com", b"/", b"?", b"versionId=", b"%3F", b"%2e", b"%", b"#", b"&", b"..",
    b"src-1250000000", b"gw.example.com", b":8080", b"k",
)  # fmt: skip
targets = near(
    b"/", b"?", b"&", b"=", b"%2F", b"%", b"+", b"http://", b"gw", b"partNumber=1", b"uploadId=u", b"acl", b"#"
)
documents = near(
    b"<Delete>", b"</Delete>", b"<Object>", b"</Object>", b"<Key>", b"</Key>", b"a", b"<VersionId>", b"</VersionId>",
    b"&", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"<?xml version='1.0'?>", b"<![CDATA[", b"]]>", b"<!--", b"-->",
    b"<Error>",
    b"</Error>", b"<CompleteMultipartUpload>", b"<Part>", b"<PartNumber>", b"</PartNumber>", b"&#0;", b"\xff\xfe",
)  # fmt: skip
fields = st.tuples(
    near(b"host", b"x-cos-", b"x-amz-", b"copy-source", b"connection", b"authorization", b"content-length", b"_"),
    near(b"gw.example.com", b"close", b"q-sign-", b"AWS4-", b"\r\n", b"src-1250000000"),
)


@given(targets)
@example(b"http://")
@example(b"http://[")
def test_targets(raw: bytes) -> None:
    with refusal:
        target = parse_target(raw)
        assert target.path.startswith(b"/")
        assert target.raw == raw


@given(targets)
def test_queries(raw: bytes) -> None:
    with refusal:
        assert all(name for name, _ in parse_query(raw))
    with refusal:
        assert len(percent_decode(raw)) <= len(raw)


@given(hosts, targets)
def test_addresses(raw_host: bytes, path: bytes) -> None:
    with refusal:
        address = parse_address(raw_host.decode("latin-1"), path, DOMAINS)
        assert (address.bucket is None) is (address.level is Level.SERVICE)
        assert (address.key is not None) is (address.level is Level.OBJECT)
        if address.key is not None:
            assert path.endswith(address.key.encode())


@given(st.text(max_size=40))
def test_hosts_of_any_text(host: str) -> None:
    with refusal:
        parse_host(host, DOMAINS)


@given(sources, st.sampled_from(Dialect))
@example(b"", Dialect.COS)
@example(b"", Dialect.S3)
def test_copy_sources_are_refused_with_one_code(raw: bytes, dialect: Dialect) -> None:
    try:
        source = parse_copy_source(raw, dialect=dialect, domains=DOMAINS)
    except COSError as error:
        assert error.code == "InvalidCopySource"  # noqa: PT017  # parsing is the other lawful outcome
    else:
        # Nothing is invented: bucket and key stand in the text, once it is decoded.
        assert source.bucket.encode() in raw.lower()
        assert source.key.encode() in percent_decode(raw)


@given(
    st.sampled_from(
        [
            parse_byte_range,
            parse_part_number,
            parse_upload_id,
            parse_version_id,
            parse_bucket,
            parse_region,
        ]
    ),
    st.text(max_size=40) | st.text("bytes=0123456789-,/ ", max_size=30) | st.integers().map(str),
)
def test_values(parse: object, text: str) -> None:
    assert callable(parse)
    with refusal:
        parse(text)


@given(st.binary(max_size=60))
def test_keys(raw: bytes) -> None:
    with refusal:
        assert parse_object_key(raw).encode() == raw


@given(st.dictionaries(st.sampled_from(CONDITION_NAMES), st.text(max_size=40) | st.text('"a*, W/', max_size=20)))
def test_conditions(values: dict[str, str]) -> None:
    with refusal:
        assert parse_conditions(values).present == values.keys()


@pytest.mark.parametrize("read", [read_delete_objects, read_complete_parts], ids=["delete", "complete"])
@given(body=documents)
def test_documents(read: object, body: bytes) -> None:
    assert callable(read)
    with refusal:
        read(body)


@given(documents)
def test_xml(body: bytes) -> None:
    with refusal:
        parse_xml(body, max_bytes=1000)
    assert (parse_error(body) is not None) is (read_root_tag(body) == "Error")


@given(st.text(st.characters()))
def test_escaped_text_is_always_xml(text: str) -> None:
    body = f"<a>{escape(text)}</a>".encode()
    parsed = parse_xml(body, max_bytes=len(body)).text
    assert len(parsed) == len(text)


@given(st.sampled_from(sorted(METHODS)) | st.text(max_size=5), targets, st.lists(fields, max_size=6))
def test_requests(method: str, raw_target: bytes, raw_headers: list[tuple[bytes, bytes]]) -> None:
    for headers in (raw_headers, [(b"host", b"gw.example.com"), *raw_headers]):
        with refusal:
            request = read_request(method, raw_target, headers)
            for level in Level:
                with refusal:
                    find_operation(request, level)
