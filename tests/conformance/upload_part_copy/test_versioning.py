"""Upload Part - Copy, "Versioning": current version, delete markers, historical versions.

Source: COS API, "Upload Part - Copy" (436/8287).
"""

from __future__ import annotations

import pytest

from tests.support.expect import assert_error, assert_success
from tests.support.names import SOURCE, VERSIONED
from tests.support.site import Site, fresh_key, part_etag, quoted_md5


@pytest.fixture
def key() -> str:
    return fresh_key("versioned")


async def test_with_versioning_the_current_version_is_copied(cos: Site, key: str) -> None:
    await cos.seed_version(VERSIONED, key, b"first version")
    await cos.seed_version(VERSIONED, key, b"second version")
    upload = await cos.initiate()
    assert part_etag(await cos.copy_part(upload, VERSIONED.source(key))) == quoted_md5(b"second version")


async def test_a_current_version_that_is_a_delete_marker_is_404(cos: Site, key: str) -> None:
    await cos.seed_version(VERSIONED, key, b"deleted")
    await cos.seed_delete_marker(VERSIONED, key)
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, VERSIONED.source(key))
    assert_error(answer, 404, "NoSuchKey", "NoSuchCopySource")


async def test_a_version_below_a_delete_marker_can_still_be_copied(cos: Site, key: str) -> None:
    version_id = await cos.seed_version(VERSIONED, key, b"deleted, not gone")
    await cos.seed_delete_marker(VERSIONED, key)
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, VERSIONED.source(key, version_id))
    assert part_etag(answer) == quoted_md5(b"deleted, not gone")


async def test_a_version_id_that_names_a_delete_marker_is_400(cos: Site, key: str) -> None:
    await cos.seed_version(VERSIONED, key, b"deleted")
    marker = await cos.seed_delete_marker(VERSIONED, key)
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, VERSIONED.source(key, marker))
    # The document names the status, not the code.
    assert_error(answer, 400, "InvalidRequest", "InvalidArgument", "InvalidCopySource")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_a_delete_marker_that_is_no_longer_current_is_still_400(cos: Site, key: str) -> None:
    marker = await cos.seed_delete_marker(VERSIONED, key)
    await cos.seed_version(VERSIONED, key, b"back again")
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, VERSIONED.source(key, marker))
    assert_error(answer, 400, "InvalidRequest", "InvalidArgument", "InvalidCopySource")


async def test_deleting_the_delete_marker_brings_the_current_version_back(cos: Site, key: str) -> None:
    await cos.seed_version(VERSIONED, key, b"back again")
    marker = await cos.seed_delete_marker(VERSIONED, key)
    assert (await cos.delete(VERSIONED, key, {"versionId": marker})).status == 204
    upload = await cos.initiate()
    assert part_etag(await cos.copy_part(upload, VERSIONED.source(key))) == quoted_md5(b"back again")


async def test_a_version_that_does_not_exist_is_404(cos: Site, key: str) -> None:
    await cos.seed_version(VERSIONED, key, b"only version")
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, VERSIONED.source(key, "MTg0NDUxNjI3NTM0ODE2Njk0MzU"))
    assert_error(answer, 404, "NoSuchVersion")


async def test_another_objects_version_id_names_nothing(cos: Site, key: str) -> None:
    await cos.seed_version(VERSIONED, key, b"mine")
    other = await cos.seed_version(VERSIONED, fresh_key("versioned"), b"not mine")
    upload = await cos.initiate()
    assert_error(await cos.copy_part(upload, VERSIONED.source(key, other)), 404, "NoSuchVersion")


async def test_overwriting_the_source_after_the_copy_does_not_change_the_part(cos: Site) -> None:
    key = await cos.seed(SOURCE, b"as it was")
    upload = await cos.initiate()
    assert_success(await cos.copy_part(upload, SOURCE.source(key)))
    await cos.seed(SOURCE, b"as it is now", key=key)
    assert await cos.copied(upload) == b"as it was"


async def test_deleting_the_source_after_the_copy_does_not_change_the_part(cos: Site) -> None:
    key = await cos.seed(SOURCE, b"as it was")
    upload = await cos.initiate()
    assert_success(await cos.copy_part(upload, SOURCE.source(key)))
    assert (await cos.delete(SOURCE, key)).status == 204
    assert await cos.copied(upload) == b"as it was"
