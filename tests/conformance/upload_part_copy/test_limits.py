"""Upload Part - Copy: how large a part may be, and when that is judged.

"Parts of 1 MB to 5 GB": a part copy cannot know whether its part is the last one, so the minimum is judged
when the upload is completed. Binary units, as in every SDK.
Sources: COS API, "Upload Part - Copy" (436/8287), "Multipart Upload" (436/14112); reference page §3.5, §3.6.
"""

from __future__ import annotations

import pytest

from tests.support.expect import assert_error, assert_success
from tests.support.names import GIB, HUGE_BYTES, HUGE_KEY, SOURCE
from tests.support.site import MIB, Site, part_etag, pattern, quoted_md5

HUGE = SOURCE.source(HUGE_KEY)
CONTENT = pattern(2 * MIB, seed=7)


@pytest.fixture
async def source(cos: Site) -> str:
    return SOURCE.source(await cos.seed(SOURCE, CONTENT))


@pytest.mark.parametrize(
    ("lengths", "accepted"),
    [
        ([MIB, MIB], True),
        ([MIB, 1], True),
        ([MIB + 1, MIB - 1], True),
        ([MIB, MIB, MIB - 1], True),
        ([1], True),
        ([MIB - 1], True),
        ([MIB - 1, MIB], False),
        ([1, MIB], False),
        ([1, 1], False),
        ([MIB, MIB - 1, MIB], False),
    ],
)
async def test_only_the_last_part_may_be_smaller_than_1_mb(
    cos: Site, source: str, lengths: list[int], accepted: bool
) -> None:
    upload = await cos.initiate()
    etags = [
        (number, part_etag(await cos.copy_part(upload, source, number=number, byte_range=f"bytes=0-{length - 1}")))
        for number, length in enumerate(lengths, start=1)
    ]
    answer = await cos.complete(upload, etags)
    if accepted:
        assert_success(answer)
        expected = b"".join(CONTENT[:length] for length in lengths)
        assert (await cos.get(upload.bucket, upload.key)).body == expected
    else:
        assert_error(answer, 400, "EntityTooSmall")


async def test_a_small_part_is_judged_at_complete_not_at_the_copy(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    assert part_etag(await cos.copy_part(upload, source, byte_range="bytes=0-9")) == quoted_md5(CONTENT[:10])


async def test_an_upload_refused_for_a_small_part_can_be_repaired(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    small = part_etag(await cos.copy_part(upload, source, number=1, byte_range="bytes=0-9"))
    large = part_etag(await cos.copy_part(upload, source, number=2))
    assert_error(await cos.complete(upload, [(1, small), (2, large)]), 400, "EntityTooSmall")
    repaired = part_etag(await cos.copy_part(upload, source, number=1))
    assert_success(await cos.complete(upload, [(1, repaired), (2, large)]))


@pytest.mark.parametrize("first", [0, 1, HUGE_BYTES - 5 * GIB])
async def test_a_range_of_5_gb_is_not_too_large(cos: Site, first: int) -> None:
    upload = await cos.initiate()
    byte_range = f"bytes={first}-{first + 5 * GIB - 1}"
    # The condition fails, so that nothing need be copied: what is asked for was lawful.
    conditions = {"if-match": quoted_md5(b"something else")}
    answer = await cos.copy_part(upload, HUGE, byte_range=byte_range, conditions=conditions)
    assert_error(answer, 412, "PreconditionFailed")


@pytest.mark.parametrize("first", [0, 1, HUGE_BYTES - 5 * GIB - 1])
async def test_a_range_of_one_byte_more_than_5_gb_is_refused(cos: Site, first: int) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, HUGE, byte_range=f"bytes={first}-{first + 5 * GIB}")
    assert_error(answer, 400, "InvalidArgument", "EntityTooLarge")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_a_whole_source_of_more_than_5_gb_is_refused(cos: Site) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, HUGE)
    assert_error(answer, 400, "InvalidArgument", "EntityTooLarge", "InvalidRequest")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_a_part_of_a_source_of_more_than_5_gb_can_be_copied(cos: Site) -> None:
    upload = await cos.initiate()
    byte_range = f"bytes={HUGE_BYTES - 2 * MIB}-{HUGE_BYTES - 1}"
    etag = part_etag(await cos.copy_part(upload, HUGE, byte_range=byte_range))
    end = await cos.get(SOURCE, HUGE_KEY, headers=[("range", byte_range)])
    assert etag == quoted_md5(end.body)
    assert len(end.body) == 2 * MIB
