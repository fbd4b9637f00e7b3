"""Upload Part - Copy, second note: objects are copied between regions by parts.

"If target and source are not in the same region and a part of the target would exceed 5 GB, use multipart
upload or multipart copy." Source: COS API, "Upload Part - Copy" (436/8287).
"""

from __future__ import annotations

import pytest

from tests.support.expect import assert_success
from tests.support.names import EXAMPLE, FARAWAY, HUGE_BYTES, HUGE_KEY, OVERSEAS, SOURCE, Bucket
from tests.support.site import MIB, Site, fresh_key, part_etag, pattern, quoted_md5


@pytest.mark.parametrize(
    ("source", "destination"),
    [(FARAWAY, EXAMPLE), (EXAMPLE, FARAWAY), (OVERSEAS, EXAMPLE), (EXAMPLE, OVERSEAS)],
    ids=lambda bucket: bucket.region,
)
async def test_a_part_is_copied_from_another_region(cos: Site, source: Bucket, destination: Bucket) -> None:
    content = pattern(MIB + 5, seed=8)
    key = await cos.seed(source, content)
    upload = await cos.initiate(destination)
    etags = [
        part_etag(await cos.copy_part(upload, source.source(key), number=1, byte_range=f"bytes=0-{MIB - 1}")),
        part_etag(await cos.copy_part(upload, source.source(key), number=2, byte_range=f"bytes={MIB}-{MIB + 4}")),
    ]
    assert etags == [quoted_md5(content[:MIB]), quoted_md5(content[MIB:])]
    assert_success(await cos.complete(upload, enumerate(etags, start=1)))
    assert (await cos.get(destination, upload.key)).body == content


async def test_parts_of_one_object_may_come_from_several_regions(cos: Site) -> None:
    near, far = pattern(MIB, seed=9), pattern(100, seed=10)
    near_key, far_key = await cos.seed(EXAMPLE, near), await cos.seed(FARAWAY, far)
    upload = await cos.initiate(EXAMPLE)
    first = part_etag(await cos.copy_part(upload, EXAMPLE.source(near_key), number=1))
    second = part_etag(await cos.copy_part(upload, FARAWAY.source(far_key), number=2))
    assert_success(await cos.complete(upload, [(1, first), (2, second)]))
    assert (await cos.get(EXAMPLE, upload.key)).body == near + far


async def test_an_object_of_more_than_5_gb_crosses_regions_by_parts_only(cos: Site) -> None:
    source = SOURCE.source(HUGE_KEY)
    whole = await cos.call("PUT", FARAWAY, fresh_key("copy"), headers=[("x-cos-copy-source", source)])
    assert whole.status in (400, 405), whole
    upload = await cos.initiate(FARAWAY)
    ends = [(0, 2 * MIB - 1), (HUGE_BYTES - MIB, HUGE_BYTES - 1)]
    etags, expected = [], b""
    for number, (first, last) in enumerate(ends, start=1):
        byte_range = f"bytes={first}-{last}"
        etags.append((number, part_etag(await cos.copy_part(upload, source, number=number, byte_range=byte_range))))
        expected += (await cos.get(SOURCE, HUGE_KEY, headers=[("range", byte_range)])).body
    assert_success(await cos.complete(upload, etags))
    assert (await cos.get(FARAWAY, upload.key)).body == expected
