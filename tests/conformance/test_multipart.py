"""The multipart family: initiate, upload part, list parts, list uploads, complete, abort.

Sources: COS API, "Initiate Multipart Upload" (436/7746), "Upload Part" (436/7750), "Complete Multipart Upload"
(436/7742), "Multipart Upload" (436/14112); reference page §4.
"""

from __future__ import annotations

import hashlib
import re

import pytest
from fastcrc import crc64

from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import MIB, Site, Upload, fresh_key, part_etag, pattern, quoted_md5

FIRST, SECOND = pattern(MIB, seed=40), pattern(1234, seed=41)


async def upload_two(cos: Site) -> tuple[Upload, list[tuple[int, str]]]:
    """An upload with two parts, and what Complete must be told about them."""
    upload = await cos.initiate()
    parts = []
    for number, body in ((1, FIRST), (2, SECOND)):
        answer = await cos.upload_part(upload, number, body)
        assert_success(answer)
        etag = answer.header("etag")
        assert etag == quoted_md5(body)
        assert answer.header("x-cos-hash-crc64ecma") == str(crc64.xz(body))
        parts.append((number, etag))
    return upload, parts


async def test_initiate_names_bucket_key_and_upload_id(cos: Site) -> None:
    key = fresh_key("目录/a b")
    answer = await cos.call("POST", EXAMPLE, key, {"uploads": ""})
    assert_success(answer)
    assert answer.xml().tag == "InitiateMultipartUploadResult"
    assert (answer.text("Bucket"), answer.text("Key")) == (EXAMPLE.name, key)
    assert re.fullmatch(r"[a-z0-9]+", answer.text("UploadId"))


async def test_the_parts_become_the_object(cos: Site) -> None:
    upload, parts = await upload_two(cos)
    answer = await cos.complete(upload, parts)
    assert_success(answer)
    assert answer.xml().tag == "CompleteMultipartUploadResult"
    assert (answer.text("Bucket"), answer.text("Key")) == (EXAMPLE.name, upload.key)
    assert upload.key in answer.text("Location")
    got = await cos.get(EXAMPLE, upload.key)
    assert got.body == FIRST + SECOND
    assert got.header("etag") == answer.text("ETag")


async def test_the_etag_of_a_multipart_object_counts_its_parts(cos: Site) -> None:
    upload, parts = await upload_two(cos)
    answer = await cos.complete(upload, parts)
    digest = hashlib.md5(hashlib.md5(FIRST).digest() + hashlib.md5(SECOND).digest()).hexdigest()
    assert answer.text("ETag") == f'"{digest}-2"'


async def test_nothing_is_visible_before_complete(cos: Site) -> None:
    upload, _ = await upload_two(cos)
    assert_error(await cos.get(EXAMPLE, upload.key), 404, "NoSuchKey")


async def test_object_headers_given_at_initiate_are_the_objects(cos: Site) -> None:
    upload = await cos.initiate(headers=[("content-type", "text/x-test"), ("x-cos-meta-colour", "green")])
    etag = (await cos.upload_part(upload, 1, b"tiny")).header("etag") or ""
    assert_success(await cos.complete(upload, [(1, etag)]))
    head = await cos.head(EXAMPLE, upload.key)
    assert (head.header("content-type"), head.header("x-cos-meta-colour")) == ("text/x-test", "green")


async def test_uploaded_and_copied_parts_mix(cos: Site) -> None:
    source = SOURCE.source(await cos.seed(SOURCE, FIRST))
    upload = await cos.initiate()
    copied = part_etag(await cos.copy_part(upload, source, number=1))
    uploaded = (await cos.upload_part(upload, 2, SECOND)).header("etag") or ""
    assert_success(await cos.complete(upload, [(1, copied), (2, uploaded)]))
    assert (await cos.get(EXAMPLE, upload.key)).body == FIRST + SECOND


async def test_list_parts_shows_number_size_and_etag_in_order(cos: Site) -> None:
    upload, parts = await upload_two(cos)
    answer = await cos.list_parts(upload)
    root = answer.xml()
    assert root.tag == "ListPartsResult"
    listed = [(int(p.findtext("PartNumber") or 0), p.findtext("ETag"), p.findtext("Size")) for p in root.iter("Part")]
    assert listed == [(*parts[0], str(len(FIRST))), (*parts[1], str(len(SECOND)))]
    assert answer.text("IsTruncated") == "false"


async def test_list_parts_is_paged(cos: Site) -> None:
    upload, _ = await upload_two(cos)
    first = await cos.list_parts(upload, {"max-parts": "1"})
    assert first.text("IsTruncated") == "true"
    assert [p.text for p in first.xml().iter("PartNumber")] == ["1"]
    marker = first.text("NextPartNumberMarker")
    second = await cos.list_parts(upload, {"max-parts": "1", "part-number-marker": marker})
    assert second.text("IsTruncated") == "false"
    assert [p.text for p in second.xml().iter("PartNumber")] == ["2"]


async def test_list_uploads_shows_what_is_in_progress(cos: Site) -> None:
    prefix = fresh_key("listed") + "/"
    upload = await cos.initiate(EXAMPLE, f"{prefix}a")
    answer = await cos.call("GET", EXAMPLE, "", {"uploads": "", "prefix": prefix})
    assert_success(answer)
    assert answer.xml().tag == "ListMultipartUploadsResult"
    assert (answer.text("Upload/Key"), answer.text("Upload/UploadId")) == (upload.key, upload.id)
    assert (await cos.abort(upload)).status == 204
    assert b"<Upload>" not in (await cos.call("GET", EXAMPLE, "", {"uploads": "", "prefix": prefix})).body


async def test_abort_forgets_the_parts(cos: Site) -> None:
    upload, parts = await upload_two(cos)
    assert (await cos.abort(upload)).status == 204
    assert_error(await cos.list_parts(upload), 404, "NoSuchUpload")
    assert_error(await cos.complete(upload, parts), 404, "NoSuchUpload")
    assert_error(await cos.upload_part(upload, 3, b"late"), 404, "NoSuchUpload")


def assert_refused(answer: Response, *codes: str) -> None:
    """Complete may have sent its 200 before it knew: then the error is in the body."""
    if answer.status == 200:
        assert answer.text("Code") in codes, answer.body
    else:
        assert_error(answer, answer.status, *codes)


async def test_parts_out_of_order_are_refused(cos: Site) -> None:
    upload, parts = await upload_two(cos)
    assert_refused(await cos.complete(upload, reversed(parts)), "InvalidPartOrder")


@pytest.mark.parametrize("number", [1, 3])
async def test_a_part_that_was_not_uploaded_so_is_refused(cos: Site, number: int) -> None:
    upload, parts = await upload_two(cos)
    wrong = {1: [(1, quoted_md5(b"other")), parts[1]], 3: [*parts, (3, quoted_md5(b"other"))]}[number]
    assert_refused(await cos.complete(upload, wrong), "InvalidPart")
    assert_error(await cos.get(EXAMPLE, upload.key), 404, "NoSuchKey")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<CompleteMultipartUpload>",
        b"<CompleteMultipartUpload></CompleteMultipartUpload>",
        b'<!DOCTYPE x [<!ENTITY e "x">]><CompleteMultipartUpload>&e;</CompleteMultipartUpload>',
        b"<CompleteMultipartUpload><Part><PartNumber>one</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    ],
    ids=["empty", "text", "cut", "no part", "doctype", "number"],
)
async def test_a_complete_body_that_lists_no_parts_is_refused(cos: Site, body: bytes) -> None:
    upload, _ = await upload_two(cos)
    answer = await cos.call("POST", EXAMPLE, upload.key, {"uploadId": upload.id}, body=body)
    assert 400 <= answer.status < 500, answer
    assert_error(answer, answer.status, "MalformedXML", "InvalidRequest", "InvalidArgument", "MissingRequestBodyError",
                 "InvalidPart")  # fmt: skip
    assert_error(await cos.get(EXAMPLE, upload.key), 404, "NoSuchKey")


async def test_ten_thousand_and_one_is_no_part_number_for_upload_part_either(cos: Site) -> None:
    upload = await cos.initiate()
    assert_success(await cos.upload_part(upload, 10_000, b"last"))
    assert_error(await cos.upload_part(upload, 10_001, b"too far"), 400, "InvalidArgument")
