"""DELETE Multiple Objects: up to 1,000 keys in one request, each answered by itself.

Source: COS API, "DELETE Multiple Objects"; reference page §4 (Content-MD5 is required).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from xml.sax.saxutils import escape

import pytest

from tests.support.client import HeaderField
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response
from tests.support.names import EXAMPLE, VERSIONED, Bucket
from tests.support.site import Site, fresh_key


def document(keys: Iterable[str | tuple[str, str]], *, quiet: bool = False) -> bytes:
    """A `<Delete>` body; a pair names a version."""
    objects = "".join(
        f"<Object><Key>{escape(key)}</Key></Object>"
        if isinstance(key, str)
        else f"<Object><Key>{escape(key[0])}</Key><VersionId>{key[1]}</VersionId></Object>"
        for key in keys
    )
    return f"<Delete><Quiet>{str(quiet).lower()}</Quiet>{objects}</Delete>".encode()


async def delete(cos: Site, body: bytes, *, bucket: Bucket = EXAMPLE, md5_of: bytes | None = None) -> Response:
    digest = base64.b64encode(hashlib.md5(body if md5_of is None else md5_of).digest()).decode()
    headers: list[HeaderField] = [("content-md5", digest)]
    return await cos.call("POST", bucket, "", {"delete": ""}, headers, body)


async def test_every_listed_object_is_deleted_and_reported(cos: Site) -> None:
    keys = [await cos.seed(EXAMPLE, b"x") for _ in range(3)]
    answer = await delete(cos, document([*keys, "never existed"]))
    assert_success(answer)
    assert answer.xml().tag == "DeleteResult"
    assert {d.findtext("Key") for d in answer.xml().iter("Deleted")} == {*keys, "never existed"}
    for key in keys:
        assert (await cos.head(EXAMPLE, key)).status == 404


async def test_quiet_reports_only_errors(cos: Site) -> None:
    key = await cos.seed(EXAMPLE, b"x")
    answer = await delete(cos, document([key], quiet=True))
    assert_success(answer)
    assert b"<Deleted>" not in answer.body
    assert (await cos.head(EXAMPLE, key)).status == 404


@pytest.mark.parametrize("key", ["a&b", "<x>", "目录/a b", "a//../b"])
async def test_keys_are_taken_literally(cos: Site, key: str) -> None:
    key = fresh_key(key)
    await cos.seed(EXAMPLE, b"x", key=key)
    assert_success(await delete(cos, document([key])))
    assert (await cos.head(EXAMPLE, key)).status == 404


async def test_one_version_can_be_deleted(cos: Site) -> None:
    key = fresh_key("versioned")
    first = await cos.seed_version(VERSIONED, key, b"first")
    second = await cos.seed_version(VERSIONED, key, b"second")
    assert_success(await delete(cos, document([(key, second)]), bucket=VERSIONED))
    assert (await cos.get(VERSIONED, key)).header("x-cos-version-id") == first


async def test_without_content_md5_nothing_is_deleted(cos: Site) -> None:
    key = await cos.seed(EXAMPLE, b"x")
    answer = await cos.call("POST", EXAMPLE, "", {"delete": ""}, body=document([key]))
    assert_error(answer, 400, "InvalidRequest", "InvalidDigest", "InvalidArgument")
    assert (await cos.head(EXAMPLE, key)).status == 200


async def test_with_a_wrong_content_md5_nothing_is_deleted(cos: Site) -> None:
    key = await cos.seed(EXAMPLE, b"x")
    answer = await delete(cos, document([key]), md5_of=b"other")
    assert_error(answer, 400, "BadDigest", "InvalidDigest")
    assert (await cos.head(EXAMPLE, key)).status == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"<Delete>", b"<Delete></Delete>", b"<Other/>"],
    ids=["empty", "cut", "no object", "other root"],
)
async def test_a_body_that_names_no_object_is_refused(cos: Site, body: bytes) -> None:
    answer = await delete(cos, body)
    assert_error(answer, 400, "MalformedXML", "InvalidRequest", "MissingRequestBodyError", "InvalidArgument")


async def test_an_empty_key_deletes_nothing(cos: Site) -> None:
    key = await cos.seed(EXAMPLE, b"x")
    answer = await delete(cos, document(["", key]))
    if answer.status == 200:
        # Judged key by key: the error is the empty key's alone.
        assert [error.findtext("Key") or "" for error in answer.xml().iter("Error")] == [""]
        assert [entry.findtext("Key") for entry in answer.xml().iter("Deleted")] == [key]
    else:
        assert_error(answer, 400, "MalformedXML", "InvalidRequest", "InvalidArgument", "InvalidURI")
        assert (await cos.head(EXAMPLE, key)).status == 200


async def test_a_thousand_keys_are_accepted_and_one_more_refused(cos: Site) -> None:
    keys = [f"absent-{number}" for number in range(1001)]
    assert_success(await delete(cos, document(keys[:1000], quiet=True)))
    assert_error(await delete(cos, document(keys)), 400, "MalformedXML", "InvalidRequest", "InvalidArgument")
