"""One part of an object that was made of parts: `GET ?partNumber=`, as S3 clients download it.

Source: AWS, S3 API, "GetObject" and "HeadObject", partNumber. COS documents no such parameter.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from cos.signing import Scheme
from tests.support.expect import assert_error
from tests.support.names import EXAMPLE
from tests.support.site import MIB, Site, fresh_key, pattern

FIRST, LAST = pattern(MIB, seed=80), pattern(1234, seed=81)


@pytest.fixture(params=[Scheme.SIGV4, Scheme.Q_SIGN], ids=["s3", "cos"])
def site(cos: Site, request: pytest.FixtureRequest) -> Site:
    return replace(cos, client=replace(cos.client, scheme=request.param))


@pytest.fixture
async def made_of_parts(cos: Site) -> str:
    upload = await cos.initiate(EXAMPLE, fresh_key("parts"))
    parts = []
    # Numbers may leave gaps; a part is asked for by its place.
    for number, content in ((2, FIRST), (7, LAST)):
        etag = (await cos.upload_part(upload, number, content)).header("etag")
        assert etag
        parts.append((number, etag))
    assert (await cos.complete(upload, parts)).status == 200
    return upload.key


def count_of_parts(site: Site) -> str:
    return "x-amz-mp-parts-count" if site.client.scheme is Scheme.SIGV4 else "x-cos-mp-parts-count"


@pytest.mark.parametrize(
    ("number", "content", "content_range"),
    [
        (1, FIRST, f"bytes 0-{MIB - 1}/{MIB + 1234}"),
        (2, LAST, f"bytes {MIB}-{MIB + 1233}/{MIB + 1234}"),
    ],
    ids=["first", "last"],
)
async def test_a_part_is_read_by_its_number(
    site: Site, made_of_parts: str, number: int, content: bytes, content_range: str
) -> None:
    for answer in (
        await site.get(EXAMPLE, made_of_parts, {"partNumber": str(number)}),
        await site.head(EXAMPLE, made_of_parts, {"partNumber": str(number)}),
    ):
        assert answer.status == 206
        assert answer.header("content-range") == content_range
        assert answer.header("content-length") == str(len(content))
        assert answer.header(count_of_parts(site)) == "2"
    assert (await site.get(EXAMPLE, made_of_parts, {"partNumber": str(number)})).body == content


async def test_an_object_put_at_once_is_its_own_only_part(site: Site) -> None:
    key = await site.seed(EXAMPLE, LAST)
    answer = await site.get(EXAMPLE, key, {"partNumber": "1"})
    assert (answer.status, answer.body) == (206, LAST)
    assert answer.header(count_of_parts(site)) is None
    assert_error(await site.get(EXAMPLE, key, {"partNumber": "2"}), 400, "InvalidPart")


async def test_an_empty_object_has_an_empty_part(site: Site) -> None:
    key = await site.seed(EXAMPLE, b"")
    answer = await site.get(EXAMPLE, key, {"partNumber": "1"})
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("0", "InvalidArgument"), ("3", "InvalidPart"), ("10000", "InvalidPart"), ("10001", "InvalidArgument"),
        ("-1", "InvalidArgument"), ("1e1", "InvalidArgument"), ("", "InvalidArgument"),
    ],
)  # fmt: skip
async def test_a_part_that_is_not_there_is_refused(site: Site, made_of_parts: str, number: str, code: str) -> None:
    assert_error(await site.get(EXAMPLE, made_of_parts, {"partNumber": number}), 400, code)
    assert (await site.head(EXAMPLE, made_of_parts, {"partNumber": number})).status == 400


async def test_a_part_and_a_range_at_once_are_refused(site: Site, made_of_parts: str) -> None:
    answer = await site.get(EXAMPLE, made_of_parts, {"partNumber": "1"}, [("range", "bytes=0-1")])
    assert_error(answer, 400, "InvalidRequest")


async def test_a_copy_has_no_parts(site: Site, made_of_parts: str) -> None:
    key = fresh_key("copied")
    s3 = site.client.scheme is Scheme.SIGV4
    source = f"{EXAMPLE.name}/{made_of_parts}" if s3 else EXAMPLE.source(made_of_parts)
    name = "x-amz-copy-source" if s3 else "x-cos-copy-source"
    assert (await site.put(EXAMPLE, key, b"", [(name, source)])).status == 200
    answer = await site.get(EXAMPLE, key, {"partNumber": "1"})
    assert (answer.status, len(answer.body)) == (206, MIB + 1234)
