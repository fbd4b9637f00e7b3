"""Uploads in parts, and copies."""

from __future__ import annotations

from urllib.parse import quote

from tests.support.http1 import Response
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import Site, Upload, fresh_key
from tests.upstream_swift.probe import DIGITS, ETAG, OTHER, PART, PAST, probe, told


async def parts(site: Site, *bodies: bytes) -> tuple[Upload, list[tuple[int, str]]]:
    upload = await site.initiate(EXAMPLE, fresh_key("parts"))
    sent = [
        (number, (await site.upload_part(upload, number, body)).header("etag") or "")
        for number, body in enumerate(bodies, 1)
    ]
    return upload, sent


@probe("parts make an object", "200, -2, 1048577")
async def _(site: Site) -> str:
    upload, sent = await parts(site, PART, b"x")
    done = await site.complete(upload, sent)
    head = await site.head(EXAMPLE, upload.key)
    etag = (head.header("etag") or "").strip('"')
    return f"{told(done)}, {etag[-2:]}, {head.header('content-length')}"


@probe("bytes across two parts", "206, same bytes")
async def _(site: Site) -> str:
    upload, sent = await parts(site, PART, b"tail")
    await site.complete(upload, sent)
    answer = await site.get(EXAMPLE, upload.key, headers=[("range", "bytes=1048570-1048577")])
    return f"{told(answer)}, {'same' if answer.body == (PART + b'tail')[1048570:1048578] else 'other'} bytes"


@probe("one part of an object", "206 tail, 2 parts")
async def _(site: Site) -> str:
    upload, sent = await parts(site, PART, b"tail")
    await site.complete(upload, sent)
    answer = await site.get(EXAMPLE, upload.key, {"partNumber": "2"})
    return f"{told(answer)} {answer.body[:9].decode()}, {answer.header('x-amz-mp-parts-count')} parts"


@probe("parts listed in pages", "1 true, 2 false")
async def _(site: Site) -> str:
    upload, _sent = await parts(site, PART, b"x")
    first = await site.list_parts(upload, {"max-parts": "1"})
    second = await site.list_parts(upload, {"max-parts": "1", "part-number-marker": "1"})
    return ", ".join(f"{page.text('Part/PartNumber')} {page.text('IsTruncated')}" for page in (first, second))


@probe("part that is too small", "400 EntityTooSmall")
async def _(site: Site) -> str:
    upload, sent = await parts(site, b"x", PART)
    return told(await site.complete(upload, sent))


@probe("parts out of order", "400 InvalidPartOrder")
async def _(site: Site) -> str:
    upload, sent = await parts(site, PART, b"x")
    return told(await site.complete(upload, reversed(sent)))


@probe("part with another ETag", "400 InvalidPart")
async def _(site: Site) -> str:
    upload, _sent = await parts(site, PART)
    return told(await site.complete(upload, [(1, OTHER)]))


@probe("upload that is no more", "204, 404 NoSuchUpload, 404 NoSuchUpload")
async def _(site: Site) -> str:
    upload, _sent = await parts(site, PART)
    answers = [await site.abort(upload), await site.list_parts(upload), await site.upload_part(upload, 1, b"x")]
    return ", ".join(told(answer) for answer in answers)


@probe("completed twice", "200, 200")
async def _(site: Site) -> str:
    upload, sent = await parts(site, PART)
    return f"{told(await site.complete(upload, sent))}, {told(await site.complete(upload, sent))}"


@probe("part copied by range", "200, same bytes")
async def _(site: Site) -> str:
    source = await site.seed(SOURCE, PART + b"tail", stem="目录 source+")
    upload = await site.initiate(EXAMPLE, fresh_key("copied"))
    answer = await copy_part(site, upload, source, ("x-amz-copy-source-range", "bytes=1048570-1048578"))
    await site.complete(upload, [(1, answer.text("ETag"))])
    same = (await site.get(EXAMPLE, upload.key)).body == (PART + b"tail")[1048570:1048579]
    return f"{told(answer)}, {'same' if same else 'other'} bytes"


async def copy_part(site: Site, upload: Upload, source_key: str, *fields: tuple[str, str]) -> Response:
    query = {"partNumber": "1", "uploadId": upload.id}
    return await site.call("PUT", upload.bucket, upload.key, query, [copy_source(source_key), *fields])


def copy_source(key: str) -> tuple[str, str]:
    return "x-amz-copy-source", f"/{SOURCE.name}/{quote(key)}"


for _name, _fields, _s3 in (
    ("copy if the ETag matches", [("x-amz-copy-source-if-match", ETAG)], "200"),
    ("copy if another ETag matches", [("x-amz-copy-source-if-match", OTHER)], "412 PreconditionFailed"),
    ("copy if the ETag does not match", [("x-amz-copy-source-if-none-match", ETAG)], "412 PreconditionFailed"),
    ("copy if unmodified for long", [("x-amz-copy-source-if-unmodified-since", PAST)], "412 PreconditionFailed"),
    ("copy if modified since long ago", [("x-amz-copy-source-if-modified-since", PAST)], "200"),
    ("copy with other headers", [("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-colour", "red")], "200"),
):

    async def _copy(site: Site, fields: list[tuple[str, str]] = _fields) -> str:
        source = await site.seed(SOURCE, DIGITS)
        return told(await site.call("PUT", EXAMPLE, fresh_key("copied"), headers=[copy_source(source), *fields]))

    probe(_name, _s3)(_copy)

    async def _copy_part(site: Site, fields: list[tuple[str, str]] = _fields) -> str:
        source = await site.seed(SOURCE, DIGITS)
        return told(await copy_part(site, await site.initiate(), source, *fields))

    if "if" in _name:
        probe(f"part {_name}", _s3)(_copy_part)


@probe("copy onto itself", "400 InvalidRequest")
async def _(site: Site) -> str:
    key = await site.seed(SOURCE, b"x")
    return told(await site.call("PUT", SOURCE, key, headers=[copy_source(key)]))


@probe("headers of a copy", "green, then red")
async def _(site: Site) -> str:
    source, key = fresh_key("headers"), fresh_key("copied")
    await site.put(SOURCE, source, b"x", [("x-amz-meta-colour", "green")])
    seen = []
    for fields in ([], [("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-colour", "red")]):
        await site.call("PUT", EXAMPLE, key, headers=[copy_source(source), *fields])
        seen.append((await site.head(EXAMPLE, key)).header("x-amz-meta-colour") or "none")
    return ", then ".join(seen)


@probe("copy of a missing object", "404 NoSuchKey")
async def _(site: Site) -> str:
    return told(await site.call("PUT", EXAMPLE, fresh_key("copied"), headers=[copy_source("missing")]))
