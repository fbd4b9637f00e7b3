"""Form uploads through the gateway to the embedded COS: both kinds of form, and every way to be refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.client import HeaderField, target
from tests.support.expect import assert_common_headers, assert_error
from tests.support.forms import CONTENT_TYPE, cos_fields, expiration, render, s3_fields
from tests.support.http1 import Response, exchange, render_request
from tests.support.names import ABSENT, CALLER_KEY, EXAMPLE, SERVER_KEY, Bucket, Key
from tests.support.site import MIB, Site, fresh_key, pattern
from tests.support.watch import Watch

CONTENT = pattern(MIB + 17, seed=95)
SIGNERS = {"cos": cos_fields, "s3": s3_fields}


@pytest.fixture(params=SIGNERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def post(
    site: Site,
    fields: Sequence[tuple[str, str]],
    content: bytes = CONTENT,
    *,
    bucket: Bucket = EXAMPLE,
    path: str = "/",
    headers: Sequence[HeaderField] = (),
    **form: Any,
) -> Response:
    body = render(fields, content, **form)
    sent = [("host", bucket.host), ("content-type", CONTENT_TYPE), ("content-length", str(len(body))), *headers]
    raw = render_request("POST", path, sent)
    pieces = [body[start : start + 40_000] for start in range(0, len(body), 40_000)]
    return await exchange(site.port, raw, pieces=pieces)


def signed(kind: str, key: str, *conditions: Any, with_key: Key = CALLER_KEY, **options: Any) -> list[tuple[str, str]]:
    return [("key", key), *SIGNERS[kind](with_key, [{"bucket": EXAMPLE.name}, {"key": key}, *conditions], **options)]


async def stored(site: Site, key: str) -> Response:
    behind = replace(site.client, port=site.emulator.port, key=SERVER_KEY)
    return await behind.send("GET", EXAMPLE.host, target(key))


async def test_a_form_stores_its_file(gateway_site: Site, kind: str) -> None:
    key = fresh_key("目录/a+b 1")
    upstream = Watch(gateway_site)
    answer = await post(gateway_site, signed(kind, key))
    assert answer.status == 204, answer
    assert_common_headers(answer)
    assert answer.header("etag")
    assert answer.header("location") == f"http://{EXAMPLE.host}{target(key)}"
    assert [(entry.operation, entry.access_key_id) for entry in upstream.new()] == [("PutObject", SERVER_KEY.secret_id)]
    assert (await stored(gateway_site, key)).body == CONTENT


async def test_fields_become_headers_of_the_object(gateway_site: Site, kind: str) -> None:
    prefix = "x-cos-" if kind == "cos" else "x-amz-"
    key = fresh_key()
    fields = [("Content-Type", "image/png"), (f"{prefix}meta-a", "1"), ("Cache-Control", "no-cache")]
    conditions = [
        ["starts-with", "$Content-Type", "image/"],
        {f"{prefix}meta-a": "1"},
        ["eq", "$Cache-Control", "no-cache"],
    ]
    answer = await post(gateway_site, [*fields, *signed(kind, key, *conditions)])
    assert answer.status == 204, answer
    found = await stored(gateway_site, key)
    assert (found.header("content-type"), found.header("x-cos-meta-a")) == ("image/png", "1")
    assert found.header("cache-control") == "no-cache"


async def test_the_files_name_is_put_into_the_key(gateway_site: Site, kind: str) -> None:
    prefix = fresh_key("album") + "/"
    fields = [
        ("key", prefix + "${filename}"),
        *SIGNERS[kind](CALLER_KEY, [{"bucket": EXAMPLE.name}, ["starts-with", "$key", prefix]]),
    ]
    answer = await post(gateway_site, fields, b"x", file_name="图 1.jpg")
    assert answer.status == 204, answer
    assert (await stored(gateway_site, prefix + "图 1.jpg")).body == b"x"


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("404", 204)])
async def test_the_form_chooses_the_status(gateway_site: Site, kind: str, asked: str, status: int) -> None:
    key = fresh_key()
    answer = await post(
        gateway_site,
        [("success_action_status", asked), *signed(kind, key, {"success_action_status": asked})],
        b"x",
    )
    assert answer.status == status
    if status == 201:
        assert answer.xml().tag == "PostResponse"
        assert (answer.text("Bucket"), answer.text("Key")) == (EXAMPLE.name, key)
        assert answer.text("ETag") == answer.header("etag")
    else:
        assert answer.body == b""


@pytest.mark.parametrize("url", ["https://my.example.org/done", "https://my.example.org/done?a=1"])
async def test_a_browser_is_sent_where_the_signed_form_says(gateway_site: Site, kind: str, url: str) -> None:
    key = fresh_key()
    condition = ["starts-with", "$success_action_redirect", "https://my.example.org/"]
    answer = await post(gateway_site, [("success_action_redirect", url), *signed(kind, key, condition)], b"x")
    assert answer.status == 303
    location = answer.header("location") or ""
    assert location.startswith(url)
    query = parse_qs(urlsplit(location).query)
    assert (query["bucket"], query["key"], query["etag"]) == ([EXAMPLE.name], [key], [answer.header("etag")])


@pytest.mark.parametrize("size", [9, 10, 20, 21])
async def test_the_size_is_held_to_the_policys_range(gateway_site: Site, kind: str, size: int) -> None:
    key = fresh_key()
    answer = await post(gateway_site, signed(kind, key, ["content-length-range", 10, 20]), b"x" * size)
    if 10 <= size <= 20:
        assert answer.status == 204
    else:
        assert_error(answer, 400, "EntityTooSmall" if size < 10 else "EntityTooLarge")
        assert (await stored(gateway_site, key)).status == 404


async def test_a_large_file_over_the_range_is_broken_off(gateway_site: Site, kind: str) -> None:
    key = fresh_key()
    assert_error(
        await post(gateway_site, signed(kind, key, ["content-length-range", 0, 100_000])), 400, "EntityTooLarge"
    )
    assert (await stored(gateway_site, key)).status == 404


REFUSED: dict[str, tuple[Any, int, str]] = {
    "wrong secret": (
        lambda kind, key: signed(kind, key, with_key=Key(CALLER_KEY.secret_id, "x")),
        403,
        "SignatureDoesNotMatch",
    ),
    "unknown key": (lambda kind, key: signed(kind, key, with_key=SERVER_KEY), 403, "InvalidAccessKeyId"),
    "expired": (lambda kind, key: signed(kind, key, expires=expiration(-5)), 403, "AccessDenied"),
    "another key": (lambda kind, key: [("key", key + "x"), *signed(kind, key)[1:]], 403, "AccessDenied"),
    "a field nobody signed": (lambda kind, key: [("acl", "public-read"), *signed(kind, key)], 403, "AccessDenied"),
    "no key": (lambda kind, key: signed(kind, key)[1:], 400, "InvalidArgument"),
    "both signatures": (
        lambda kind, key: [("q-signature", "0" * 40), ("x-amz-signature", "0" * 64), *signed(kind, key)[:-1]],
        403,
        "AccessDenied",
    ),
    "a copy source": (
        lambda kind, key: [("x-cos-copy-source", "a/b"), *signed(kind, key, {"x-cos-copy-source": "a/b"})],
        400,
        "InvalidRequest",
    ),
    "a header of two lines": (
        lambda kind, key: [
            ("Content-Type", "a\r\nx-cos-acl: public"),
            *signed(kind, key, ["starts-with", "$content-type", "a"]),
        ],
        400,
        "InvalidArgument",
    ),
    "a redirect that is no URL": (
        lambda kind, key: [
            ("redirect", "javascript:alert(1)"),
            *signed(kind, key, {"redirect": "javascript:alert(1)"}),
        ],
        400,
        "InvalidArgument",
    ),
    "a field that means nothing": (
        lambda kind, key: [("color", "red"), *signed(kind, key, {"color": "red"})],
        400,
        "InvalidArgument",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_a_form_that_is_not_allowed_stores_nothing(gateway_site: Site, kind: str, why: str) -> None:
    make, status, code = REFUSED[why]
    key = fresh_key()
    upstream = Watch(gateway_site)
    assert_error(await post(gateway_site, make(kind, key), b"x"), status, code)
    assert upstream.new() == []


async def test_a_form_without_its_signature_is_refused_as_the_dialect_does(gateway_site: Site, kind: str) -> None:
    upstream = Watch(gateway_site)
    answer = await post(gateway_site, signed(kind, fresh_key())[:-1], b"x")
    assert_error(answer, *((403, "AccessDenied") if kind == "cos" else (400, "InvalidArgument")))
    assert upstream.new() == []


async def test_an_s3_policy_names_its_bucket(gateway_site: Site, kind: str) -> None:
    key = fresh_key("up/form")
    make = cos_fields if kind == "cos" else s3_fields
    fields = [("key", key), *make(CALLER_KEY, [["starts-with", "$key", "up/"]])]
    answer = await post(gateway_site, fields, b"x")
    if kind == "cos":
        assert answer.status == 204
    else:
        assert_error(answer, 403, "AccessDenied")
        assert (await gateway_site.head(EXAMPLE, key)).status == 404


TAGS = "<Tagging><TagSet><Tag><Key>a b</Key><Value>1&amp;2</Value></Tag></TagSet></Tagging>"


@pytest.mark.parametrize(("document", "status"), [(TAGS, 204), ("a=1", 400), ("<TagSet/>", 400)])
async def test_tags_of_an_s3_form_are_a_document(gateway_site: Site, document: str, status: int) -> None:
    key = fresh_key("up/form")
    conditions = [{"bucket": EXAMPLE.name}, ["starts-with", "$key", "up/"], ["starts-with", "$tagging", ""]]
    fields = [("key", key), ("tagging", document), *s3_fields(CALLER_KEY, conditions)]
    assert (await post(gateway_site, fields, b"x")).status == status
    if status == 204:
        tags = (await gateway_site.call("GET", EXAMPLE, key, {"tagging": ""})).xml().iter("Tag")
        assert [(tag.findtext("Key"), tag.findtext("Value")) for tag in tags] == [("a b", "1&2")]
    else:
        assert (await gateway_site.head(EXAMPLE, key)).status == 404


async def test_a_field_behind_the_file_is_refused_and_nothing_stored(gateway_site: Site, kind: str) -> None:
    key = fresh_key()
    answer = await post(gateway_site, signed(kind, key), after=[("acl", "public-read")])
    assert_error(answer, 400, "MalformedPOSTRequest")
    assert (await stored(gateway_site, key)).status == 404


async def test_a_bucket_that_is_not_ours_is_refused(gateway_site: Site, kind: str) -> None:
    fields = [("key", "a"), *SIGNERS[kind](CALLER_KEY, [{"bucket": ABSENT.name}, {"key": "a"}])]
    assert_error(await post(gateway_site, fields, bucket=ABSENT), 403, "AccessDenied")


@pytest.mark.parametrize("header", ["x-cos-acl", "x-cosgw-dry-run", "authorization"])
async def test_headers_that_no_form_signs_are_refused(gateway_site: Site, header: str) -> None:
    value = "q-sign-algorithm=sha1" if header == "authorization" else "public-read"
    answer = await post(gateway_site, signed("cos", fresh_key()), headers=[(header, value)])
    assert_error(answer, 403, "AccessDenied")


async def test_a_form_in_chunks_is_taken(gateway_site: Site, kind: str) -> None:
    key = fresh_key()
    body = render(signed(kind, key), b"x" * 1000)
    sent = [("host", EXAMPLE.host), ("content-type", CONTENT_TYPE), ("transfer-encoding", "chunked")]
    raw = render_request("POST", "/", sent)
    answer = await exchange(gateway_site.port, raw, pieces=[b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)])
    assert answer.status == 204, answer
    assert len((await stored(gateway_site, key)).body) == 1000
