"""Upload Part - Copy, "Request parameters": partNumber and uploadId, both required.

Also the page's first note: a multipart upload is initiated first, with the target path, and its upload ID
is carried in the request. Source: COS API, "Upload Part - Copy" (436/8287).
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.client import target
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response
from tests.support.names import EXAMPLE, FARAWAY, SOURCE
from tests.support.site import Site, Upload, fresh_key, part_etag, pattern, quoted_md5

CONTENT = pattern(512, seed=3)
NEVER_INITIATED = "1505706248ca8373f8a5cd52cb129f4bcf85e11dc8833df34f4f5bcc456c99c42cd1ffa2f9"


@pytest.fixture
async def source(cos: Site) -> str:
    return SOURCE.source(await cos.seed(SOURCE, CONTENT))


async def copy_with(cos: Site, key: str, query: Mapping[str, str], source: str) -> Response:
    return await cos.call("PUT", EXAMPLE, key, query, [("x-cos-copy-source", source)])


async def test_an_upload_that_was_never_initiated_is_404(cos: Site, source: str) -> None:
    answer = await cos.copy_part(Upload(EXAMPLE, fresh_key(), NEVER_INITIATED), source)
    assert_error(answer, 404, "NoSuchUpload")


async def test_the_upload_id_belongs_to_the_target_path_it_was_initiated_with(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(Upload(EXAMPLE, fresh_key("elsewhere"), upload.id), source)
    assert_error(answer, 404, "NoSuchUpload")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_the_upload_id_belongs_to_the_bucket_it_was_initiated_in(cos: Site, source: str) -> None:
    upload = await cos.initiate(EXAMPLE)
    answer = await cos.copy_part(Upload(FARAWAY, upload.key, upload.id), source)
    assert_error(answer, 404, "NoSuchUpload")


async def test_an_aborted_upload_takes_no_part(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    assert (await cos.abort(upload)).status == 204
    assert_error(await cos.copy_part(upload, source), 404, "NoSuchUpload")


async def test_a_completed_upload_takes_no_part(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    etag = part_etag(await cos.copy_part(upload, source))
    assert_success(await cos.complete(upload, [(1, etag)]))
    assert_error(await cos.copy_part(upload, source), 404, "NoSuchUpload")


async def test_every_initiate_gives_its_own_upload_id(cos: Site) -> None:
    key = fresh_key()
    first, second = await cos.initiate(EXAMPLE, key), await cos.initiate(EXAMPLE, key)
    assert first.id != second.id


async def test_a_copy_without_part_number_is_refused(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    answer = await copy_with(cos, upload.key, {"uploadId": upload.id}, source)
    assert_error(answer, 400, "InvalidArgument")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_a_copy_without_upload_id_is_refused(cos: Site, source: str) -> None:
    key = fresh_key()
    answer = await copy_with(cos, key, {"partNumber": "1"}, source)
    assert_error(answer, 400, "InvalidArgument")
    # Above all it must not have become a PUT Object - Copy.
    assert (await cos.head(EXAMPLE, key)).status == 404


async def test_an_empty_upload_id_is_refused(cos: Site, source: str) -> None:
    key = fresh_key()
    answer = await cos.client.send(
        "PUT", EXAMPLE.host, target(key) + "?partNumber=1&uploadId=", headers=[("x-cos-copy-source", source)]
    )
    assert answer.status in (400, 404), answer
    assert_error(answer, answer.status, "InvalidArgument", "NoSuchUpload")
    assert (await cos.head(EXAMPLE, key)).status == 404


@pytest.mark.parametrize("number", ["1", "2", "9999", "10000"])
async def test_part_numbers_from_1_to_10000_are_accepted(cos: Site, source: str, number: str) -> None:
    upload = await cos.initiate()
    assert part_etag(await cos.copy_part(upload, source, number=number)) == quoted_md5(CONTENT)
    assert (await cos.list_parts(upload)).text("Part/PartNumber") == number


@pytest.mark.parametrize(
    "number", ["0", "10001", "-1", "1.0", "1e3", "one", "0x1", "+1", " 1", "1 ", "１", "1_0", "99999999999999999999"]
)
async def test_any_other_part_number_is_refused(cos: Site, source: str, number: str) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, source, number=number)
    assert_error(answer, 400, "InvalidArgument")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_an_empty_part_number_is_refused(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    raw_target = f"{target(upload.key)}?partNumber=&uploadId={upload.id}"
    answer = await cos.client.send("PUT", EXAMPLE.host, raw_target, headers=[("x-cos-copy-source", source)])
    assert_error(answer, 400, "InvalidArgument")


async def test_the_order_of_the_parameters_does_not_matter(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    answer = await copy_with(cos, upload.key, {"uploadId": upload.id, "partNumber": "3"}, source)
    assert part_etag(answer) == quoted_md5(CONTENT)
    assert (await cos.list_parts(upload)).text("Part/PartNumber") == "3"


async def test_copying_the_same_number_again_replaces_the_part(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    replaced = SOURCE.source(await cos.seed(SOURCE, b"replaced"))
    assert_success(await cos.copy_part(upload, replaced))
    assert_success(await cos.copy_part(upload, source))
    parts = (await cos.list_parts(upload)).xml().findall("Part")
    assert [part.findtext("ETag") for part in parts] == [quoted_md5(CONTENT)]
    assert await cos.copied(upload) == CONTENT


@pytest.mark.parametrize("extra", ["acl", "uploads", "versionId", "delete"])
async def test_a_second_operation_in_the_query_is_refused(cos: Site, source: str, extra: str) -> None:
    upload = await cos.initiate()
    query = {"partNumber": "1", "uploadId": upload.id, extra: ""}
    answer = await copy_with(cos, upload.key, query, source)
    assert_error(answer, 400, "InvalidArgument")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "HEAD"])
async def test_only_put_copies_a_part(cos: Site, source: str, method: str) -> None:
    upload = await cos.initiate()
    query = {"partNumber": "1", "uploadId": upload.id}
    answer = await cos.call(method, EXAMPLE, upload.key, query, [("x-cos-copy-source", source)])
    assert 400 <= answer.status < 500, answer
    assert b"<Part>" not in (await cos.list_parts(upload)).body
