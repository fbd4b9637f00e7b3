"""Questions to a server in the S3 dialect, each answered by one line: what it does.

A question is asked of Swift itself and of the gateway in front of it. `s3` is what the documents promise. Where
Swift does something else, `deviations.py` names it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from tests.support.http1 import Response
from tests.support.names import EXAMPLE, SOURCE, VERSIONED
from tests.support.site import MIB, Site, Upload, fresh_key, pattern, quoted_md5

Question = Callable[[Site], Awaitable[str]]
PART = pattern(MIB, seed=80)


@dataclass(frozen=True, slots=True)
class Probe:
    """One question, and the answer of S3."""

    name: str
    ask: Question
    s3: str


PROBES: list[Probe] = []


def probe(name: str, s3: str) -> Callable[[Question], Question]:
    def register(question: Question) -> Question:
        PROBES.append(Probe(name, question, s3))
        return question

    return register


def told(answer: Response) -> str:
    """The status, with the code of an error."""
    return f"{answer.status} {answer.text('Code')}" if answer.status >= 400 and answer.body else str(answer.status)


# --- objects -----------------------------------------------------------------------------------------------

KEYS = {
    "two slashes": "a//b",
    "a dot": "a/./b",
    "two dots": "a/../b",
    "a percent sign": "a%2Fb%",
    "plus, tilde, brackets": "+~!*'()[]{}<>&=@:;,$?#\\^`|\"",
    "Chinese and emoji": "目录/对象 😀",
    "a space at each end": " x ",
    "a slash at the end": "folder/",
}


def ask_for_key(key: str) -> Question:
    async def question(site: Site) -> str:
        name = fresh_key("probe") + "/" + key
        put = await site.put(EXAMPLE, name, b"content")
        got = await site.get(EXAMPLE, name)
        listed = await site.get(EXAMPLE, "", {"prefix": name, "encoding-type": "url"})
        if put.status != 200 or got.body != b"content":
            return f"{told(put)}, {told(got)}"
        return "stored and listed" if unquote(listed.text("Contents/Key")) == name else listed.text("Contents/Key")

    return question


for _label, _key in KEYS.items():
    probe(f"key with {_label}", "stored and listed")(ask_for_key(_key))


@probe("key of 1024 bytes", "200, 200")
async def _(site: Site) -> str:
    name = fresh_key("long").ljust(1024, "k")
    return f"{told(await site.put(EXAMPLE, name, b'x'))}, {told(await site.get(EXAMPLE, name))}"


HEADERS = {
    "cache-control": "no-cache",
    "content-disposition": 'attachment; filename="a b"',
    "content-encoding": "gzip",
    "content-language": "de",
    "content-type": "text/x-probe",
    "expires": "Thu, 01 Dec 2033 16:00:00 GMT",
    "x-amz-meta-colour": "green",
}


@probe("headers of an object come back", "all")
async def _(site: Site) -> str:
    key = fresh_key("headers")
    await site.put(EXAMPLE, key, b"x", list(HEADERS.items()))
    head = await site.head(EXAMPLE, key)
    missing = [name for name, value in HEADERS.items() if head.header(name) != value]
    return f"without {', '.join(missing)}" if missing else "all"


@probe("response-… parameters", "text/x-asked, no-store")
async def _(site: Site) -> str:
    key = await site.seed(EXAMPLE, b"x")
    asked = {"response-content-type": "text/x-asked", "response-cache-control": "no-store"}
    answer = await site.get(EXAMPLE, key, asked)
    return f"{answer.header('content-type')}, {answer.header('cache-control')}"


def ask_with(method: str, *fields: tuple[str, str]) -> Question:
    """A conditional or partial read of an object with ten bytes."""

    async def question(site: Site) -> str:
        key = await site.seed(EXAMPLE, b"0123456789")
        answer = await site.call(method, EXAMPLE, key, headers=fields)
        content = f" {answer.body.decode()}" if answer.status == 206 else ""
        return told(answer) + content

    return question


ETAG = quoted_md5(b"0123456789")
OTHER = '"00000000000000000000000000000000"'
PAST, FUTURE = "Thu, 01 Dec 1994 16:00:00 GMT", "Thu, 01 Dec 2033 16:00:00 GMT"
for _name, _fields, _s3 in (
    ("range", [("range", "bytes=2-4")], "206 234"),
    ("range of the last bytes", [("range", "bytes=-3")], "206 789"),
    ("range without an end", [("range", "bytes=8-")], "206 89"),
    ("range behind the end", [("range", "bytes=10-12")], "416 InvalidRange"),
    ("If-Match that fails", [("if-match", OTHER)], "412 PreconditionFailed"),
    ("If-Match that holds", [("if-match", ETAG)], "200"),
    ("If-None-Match that fails", [("if-none-match", ETAG)], "304"),
    ("If-Unmodified-Since that fails", [("if-unmodified-since", PAST)], "412 PreconditionFailed"),
    ("If-Modified-Since long ago", [("if-modified-since", PAST)], "200"),
):
    probe(_name, _s3)(ask_with("GET", *_fields))


@probe("missing object", "404 NoSuchKey, 404, 204")
async def _(site: Site) -> str:
    answers = [await site.call(method, EXAMPLE, "missing") for method in ("GET", "HEAD", "DELETE")]
    return ", ".join(told(answer) for answer in answers)


@probe("Content-MD5 of something else", "400 BadDigest")
async def _(site: Site) -> str:
    return told(await site.put(EXAMPLE, fresh_key(), b"x", [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")]))


@probe("If-None-Match: * of an object that is there", "412 PreconditionFailed")
async def _(site: Site) -> str:
    key = await site.seed(EXAMPLE, b"first")
    return told(await site.put(EXAMPLE, key, b"second", [("if-none-match", "*")]))


for _name, _field, _s3 in (
    ("ACL of the owner alone", ("x-amz-acl", "private"), "200"),
    ("another storage class", ("x-amz-storage-class", "STANDARD_IA"), "200"),
    ("encryption at the server", ("x-amz-server-side-encryption", "AES256"), "200"),
    ("tags in a header", ("x-amz-tagging", "colour=green"), "200"),
):

    async def _put(site: Site, field: tuple[str, str] = _field) -> str:
        return told(await site.put(EXAMPLE, fresh_key(), b"x", [field]))

    probe(_name, _s3)(_put)


# --- lists -------------------------------------------------------------------------------------------------


async def five(site: Site) -> str:
    """The prefix of five new objects."""
    prefix = fresh_key("list") + "/"
    for name in ("a", "b", "c/1", "c/2", "d"):
        await site.put(EXAMPLE, prefix + name, b"x")
    return prefix


def names(answer: Response, prefix: str) -> str:
    root = answer.xml()
    found = [str(item.text).removeprefix(prefix) for item in root.findall("Contents/Key")]
    folders = [str(item.text).removeprefix(prefix) for item in root.findall("CommonPrefixes/Prefix")]
    more = root.findtext("NextMarker") or ("token" if root.findtext("NextContinuationToken") else "")
    return " ".join([*found, *folders, f"→{more.removeprefix(prefix)}" if more else ""]).strip()


for _name, _query, _s3 in (
    ("list", {}, "a b c/1 c/2 d"),
    ("list with folders", {"delimiter": "/"}, "a b d c/"),
    ("list, first page", {"max-keys": "2"}, "a b"),
    ("list with folders, first page", {"max-keys": "3", "delimiter": "/"}, "a b c/ →c/"),
    ("list behind a marker", {"marker": "{}b"}, "c/1 c/2 d"),
    ("list of none", {"max-keys": "0"}, ""),
    ("list v2, first page", {"list-type": "2", "max-keys": "2"}, "a b →token"),
    ("list v2 behind a name", {"list-type": "2", "start-after": "{}c/1"}, "c/2 d"),
):

    async def _list(site: Site, query: dict[str, str] = _query) -> str:
        prefix = await five(site)
        asked = {"prefix": prefix} | {name: value.replace("{}", prefix) for name, value in query.items()}
        return names(await site.get(EXAMPLE, "", asked), prefix)

    probe(_name, _s3)(_list)


@probe("list v2, second page", "c/1 c/2 →token")
async def _(site: Site) -> str:
    prefix = await five(site)
    asked = {"prefix": prefix, "list-type": "2", "max-keys": "2"}
    token = (await site.get(EXAMPLE, "", asked)).text("NextContinuationToken")
    return names(await site.get(EXAMPLE, "", {**asked, "continuation-token": token}), prefix)


@probe("list of uploads that fits is not cut", "false")
async def _(site: Site) -> str:
    key = (await site.initiate(EXAMPLE, fresh_key("uploads"))).key
    return (await site.get(EXAMPLE, "", {"uploads": "", "prefix": key, "max-uploads": "1"})).text("IsTruncated")


# --- uploads in parts, and copies --------------------------------------------------------------------------


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
        source = await site.seed(SOURCE, b"0123456789")
        return told(await site.call("PUT", EXAMPLE, fresh_key("copied"), headers=[copy_source(source), *fields]))

    probe(_name, _s3)(_copy)

    async def _copy_part(site: Site, fields: list[tuple[str, str]] = _fields) -> str:
        source = await site.seed(SOURCE, b"0123456789")
        return told(await copy_part(site, await site.initiate(), source, *fields))

    if "if" in _name:
        probe(f"part {_name}", _s3)(_copy_part)


@probe("copy of a missing object", "404 NoSuchKey")
async def _(site: Site) -> str:
    return told(await site.call("PUT", EXAMPLE, fresh_key("copied"), headers=[copy_source("missing")]))


# --- versions and what belongs to buckets ------------------------------------------------------------------


@probe("versions", "old, 204 marker, 404 NoSuchKey, old")
async def _(site: Site) -> str:
    key = fresh_key("versions")
    first = (await site.put(VERSIONED, key, b"old")).header("x-amz-version-id") or ""
    await site.put(VERSIONED, key, b"new")
    before = await site.get(VERSIONED, key, {"versionId": first})
    gone = await site.delete(VERSIONED, key)
    marker = "marker" if gone.header("x-amz-delete-marker") == "true" else "no marker"
    after = await site.get(VERSIONED, key, {"versionId": first})
    missing = await site.get(VERSIONED, key)
    return f"{before.body.decode()}, {told(gone)} {marker}, {told(missing)}, {after.body.decode()}"


for _name, _query, _s3 in (
    ("location", "location", "200"),
    ("ACL of a bucket", "acl", "200"),
    ("versioning of a bucket", "versioning", "200"),
    ("lifecycle that is not set", "lifecycle", "404 NoSuchLifecycleConfiguration"),
    ("CORS that is not set", "cors", "404 NoSuchCORSConfiguration"),
    ("policy that is not set", "policy", "404 NoSuchBucketPolicy"),
    ("tags of a bucket that are not set", "tagging", "404 NoSuchTagSet"),
):

    async def _ask_bucket(site: Site, query: str = _query) -> str:
        return told(await site.get(EXAMPLE, "", {query: ""}))

    probe(_name, _s3)(_ask_bucket)
