"""Keys, headers, reads and conditions of single objects."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import unquote
from xml.sax.saxutils import escape

from tests.support.names import EXAMPLE
from tests.support.site import Site, fresh_key
from tests.upstream_swift.probe import DIGITS, ETAG, OTHER, PAST, Question, probe, told

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
        key = await site.seed(EXAMPLE, DIGITS)
        answer = await site.call(method, EXAMPLE, key, headers=fields)
        content = f" {answer.body.decode()}" if answer.status == 206 else ""
        return told(answer) + content

    return question


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


@probe("HEAD as GET", "same")
async def _(site: Site) -> str:
    key = fresh_key("headers")
    await site.put(EXAMPLE, key, b"content", list(HEADERS.items()))
    answers = [await site.call(method, EXAMPLE, key) for method in ("GET", "HEAD")]
    told_apart = {"date", "x-cos-request-id", "x-cos-trace-id", "x-amz-request-id", "x-amz-id-2"}
    told_apart |= {"x-trans-id", "x-openstack-request-id"}  # Swift's own
    got, head = ({field for field in answer.headers if field[0] not in told_apart} for answer in answers)
    return "same" if got == head else str(sorted(got ^ head))


@probe("objects deleted together", "200 2 told, then 404 404")
async def _(site: Site) -> str:
    keys = [await site.seed(EXAMPLE, b"x", stem=stem) for stem in ("a b", "目录/&<>")]
    return await delete_together(site, keys, "")


@probe("objects deleted together and quietly", "200 0 told, then 404 404")
async def _(site: Site) -> str:
    keys = [await site.seed(EXAMPLE, b"x", stem=stem) for stem in ("a b", "目录/&<>")]
    return await delete_together(site, keys, "<Quiet>true</Quiet>")


async def delete_together(site: Site, keys: list[str], quiet: str) -> str:
    listed = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    document = f"<Delete>{quiet}{listed}</Delete>".encode()
    md5 = base64.b64encode(hashlib.md5(document).digest())
    answer = await site.call("POST", EXAMPLE, "", {"delete": ""}, [("content-md5", md5)], document)
    left = [str((await site.head(EXAMPLE, key)).status) for key in keys]
    return f"{told(answer)} {len(answer.xml().findall('Deleted'))} told, then {' '.join(left)}"
