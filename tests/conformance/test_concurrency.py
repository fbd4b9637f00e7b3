"""Many at once: every caller gets the answer to its own request.

Source: DESIGN §3, invariants 6 and 8.
"""

from __future__ import annotations

import asyncio

from tests.support.expect import assert_success
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import MIB, Site, fresh_key, part_etag, pattern, quoted_md5

AT_ONCE = 64


async def test_parts_copied_at_once_do_not_mix(cos: Site) -> None:
    contents = [pattern(2000 + number, seed=number) for number in range(AT_ONCE)]
    keys = [fresh_key("source") for _ in contents]
    await asyncio.gather(*(cos.seed(SOURCE, body, key=key) for key, body in zip(keys, contents, strict=True)))
    uploads = await asyncio.gather(*(cos.initiate() for _ in contents))
    answers = await asyncio.gather(
        *(
            cos.copy_part(upload, SOURCE.source(key), byte_range=f"bytes={number}-{number + 999}")
            for number, (upload, key) in enumerate(zip(uploads, keys, strict=True))
        )
    )
    expected = [quoted_md5(body[number : number + 1000]) for number, body in enumerate(contents)]
    assert [part_etag(answer) for answer in answers] == expected


async def test_parts_of_one_upload_may_be_copied_at_once_and_in_any_order(cos: Site) -> None:
    content = pattern(8 * MIB, seed=70)
    source = SOURCE.source(await cos.seed(SOURCE, content))
    upload = await cos.initiate()

    async def copy(number: int) -> tuple[int, str]:
        first = (number - 1) * MIB
        answer = await cos.copy_part(upload, source, number=number, byte_range=f"bytes={first}-{first + MIB - 1}")
        return number, part_etag(answer)

    parts = await asyncio.gather(*(copy(number) for number in (5, 1, 8, 3, 2, 7, 4, 6)))
    assert_success(await cos.complete(upload, sorted(parts)))
    assert (await cos.get(upload.bucket, upload.key)).body == content


async def test_downloads_and_uploads_at_once_do_not_mix(cos: Site) -> None:
    bodies = [pattern(50_000 + number, seed=100 + number) for number in range(AT_ONCE // 2)]
    keys = [fresh_key("mixed") for _ in bodies]
    await asyncio.gather(*(cos.seed(EXAMPLE, body, key=key) for key, body in zip(keys, bodies, strict=True)))
    others = [cos.put(EXAMPLE, fresh_key("mixed"), body) for body in bodies]
    answers = await asyncio.gather(*(cos.get(EXAMPLE, key) for key in keys), *others)
    assert [answer.body for answer in answers[: len(bodies)]] == bodies
    assert [answer.header("etag") for answer in answers[len(bodies) :]] == [quoted_md5(body) for body in bodies]
