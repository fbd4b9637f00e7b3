"""Whatever a caller with a valid key asks, the emulator answers as COS would: never with a failure of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from cos.address import Level
from cos.operations import OPERATIONS, Body
from cos.rewrite import UpstreamRequest
from cos.signing import Scheme, sign
from cos.target import Parameter, parse_target, percent_encode, render_path
from cos.xml import parse_error
from emulator.emulator import Answer, Emulator
from tests.support.names import BUCKETS, SERVER_KEY, SOURCE
from tests.support.servers import emulator_settings

NAMES = sorted({name for op in OPERATIONS for name in (*op.subresource, *op.parameters)})
OBJECT_WORK = [op for op in OPERATIONS if op.level is Level.OBJECT and not op.subresource & {"acl", "tagging"}]
VALUES = st.one_of(
    st.sampled_from(["", "0", "1", "2", "url", "null", "10000", "10001", "-1", "1000", "9" * 30, "/", "a", "é"]),
    st.text(max_size=8).filter(lambda text: text.isprintable()),
)
HEADERS = {
    "range": ["bytes=0-1", "bytes=-1", "bytes=5-", "bytes=9-1", "bytes=-0", "x", "bytes=0-0,2-3"],
    "if-match": ["*", '"x"', "x, y", ","],
    "if-modified-since": ["Mon, 04 Sep 2017 04:45:45 GMT", "soon"],
    "content-md5": ["", "AAAA", "1B2M2Y8AsgTpgAmY7PhCfg=="],
    "x-cos-copy-source": [SOURCE.source("k"), SOURCE.source(""), SOURCE.source("absent"), "/", "bucket/key", ""],
    "x-cos-copy-source-range": ["bytes=0-0", "bytes=0-9", "bytes=1-0", "0-1", ""],
    "x-cos-copy-source-if-match": ["*", '"x"', ""],
    "x-cos-metadata-directive": ["Copy", "REPLACE", "x"],
    "x-cos-storage-class": ["ARCHIVE", "standard_ia", "x"],
    "x-cos-server-side-encryption": ["AES256", "cos/kms"],
    "x-cos-tagging": ["a=1", "a=1&a=2", "=", "a"],
    "origin": ["https://example.com"],
    "access-control-request-method": ["PUT"],
}
BODIES = [
    b"",
    b"x",
    b"<Delete><Object><Key>k</Key></Object></Delete>",
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    b"<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
    b"<!DOCTYPE x><x/>",
]


def signed(
    method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes, now: int
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Raw target and headers of a request that SERVER_KEY signed."""
    text = "&".join(f"{percent_encode(name)}={percent_encode(value)}" for name, value in query)
    raw_target = render_path(path.encode()) + (b"?" + text.encode() if text else b"")
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    fields.append((b"content-length", str(len(body)).encode()))
    request = UpstreamRequest.of(
        method, SOURCE.host, parse_target(raw_target).path, tuple(Parameter(*pair) for pair in query), raw_target,
        tuple(fields),
    )  # fmt: skip
    made = sign(
        request, scheme=Scheme.Q_SIGN, secret_id=SERVER_KEY.secret_id, secret_key=SERVER_KEY.secret_key, token=None,
        now=now, lifetime_seconds=600, region=SOURCE.region,
    )  # fmt: skip
    return raw_target, [(b"host", SOURCE.host.encode()), *(field for field in made.headers if field[0] != b"host")]


async def answer(
    emulator: Emulator, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> Answer:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    answered = await emulator.answer(method, target, headers, receive)
    if answered.response.release is not None:
        answered.response.release()
    return answered


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    opened = Emulator(emulator_settings())
    yield opened
    asyncio.run(opened.close())


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, str], dict[str, str], bytes]:
    """Method, key, query, headers and body: one row of the table with some of its parameters, now and then bent."""
    # Most rows are documents, which are all alike: half of the draws are of the others.
    operation = draw(st.one_of(st.sampled_from(OBJECT_WORK), st.sampled_from(OPERATIONS)))
    names = [*sorted(operation.subresource), *draw(st.sets(st.sampled_from(sorted(operation.parameters)), max_size=3))]
    if draw(st.integers(0, 9)) == 0:
        names.append(draw(st.sampled_from(NAMES)))
    query = {name: draw(VALUES) for name in names}
    allowed = sorted(name for name in HEADERS if name.startswith("x-cos-copy-source") <= operation.copies)
    headers = {
        name: draw(st.sampled_from(HEADERS[name])) for name in draw(st.sets(st.sampled_from(allowed), max_size=2))
    }
    if operation.copies:
        headers["x-cos-copy-source"] = draw(st.sampled_from(HEADERS["x-cos-copy-source"]))
    key = draw(st.sampled_from(["k", "k", "dir/k", "absent", "../x", "é"])) if operation.level is Level.OBJECT else ""
    body = b"" if operation.body is Body.NONE else draw(st.sampled_from(BODIES))
    return operation.method, key, query, headers, body


@given(asked=requests())
@examples(max_examples=400, deadline=None)
def test_every_request_is_answered_in_the_protocol(
    emulator: Emulator, asked: tuple[str, str, dict[str, str], dict[str, str], bytes]
) -> None:
    method, key, query, headers, body = asked
    target, fields = signed(method, f"/{key}", list(query.items()), headers, body, int(time.time()))

    async def run() -> Answer:
        await emulator.open()  # a deleted bucket comes back
        await answer(emulator, "PUT", *signed("PUT", "/k", [], {}, b"content", int(time.time())), b"content")
        return await answer(emulator, method, target, fields, body)

    response = asyncio.run(run()).response
    names = [name for name, _ in response.headers]
    assert names.count("x-cos-request-id") == 1
    assert names.count("date") == 1
    assert response.status < 500 or response.status == 501
    if response.status >= 400 and method != "HEAD":
        assert isinstance(response.body, bytes)
        document = parse_error(response.body)
        assert document is not None
        assert all((document.code, document.message, document.resource, document.request_id, document.trace_id))


def test_the_buckets_of_the_settings_are_all_there(emulator: Emulator) -> None:
    asyncio.run(emulator.open())
    held = asyncio.run(emulator.store.transact(lambda tables: tables.buckets()))
    assert [bucket.name for bucket in held] == sorted(bucket.name for bucket in BUCKETS)
