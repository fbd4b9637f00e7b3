"""Lists, versions, and what belongs to buckets."""

from __future__ import annotations

from tests.support.http1 import Response
from tests.support.names import EXAMPLE, VERSIONED
from tests.support.site import Site, fresh_key
from tests.upstream_swift.probe import probe, told

_prefixes: dict[int, str] = {}


async def five(site: Site) -> str:
    """The prefix of five objects that are only listed: made once for each site."""
    if site.port not in _prefixes:
        prefix = fresh_key("list") + "/"
        for name in ("a", "b", "c/1", "c/2", "d"):
            await site.put(EXAMPLE, prefix + name, b"x")
        _prefixes[site.port] = prefix
    return _prefixes[site.port]


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


@probe("versions listed", "Version old, Version latest, DeleteMarker latest")
async def _(site: Site) -> str:
    key = fresh_key("versions")
    await site.put(VERSIONED, key, b"old")
    await site.put(VERSIONED, key, b"new")
    before = (await site.get(VERSIONED, "", {"versions": "", "prefix": key})).xml()
    await site.delete(VERSIONED, key)
    after = (await site.get(VERSIONED, "", {"versions": "", "prefix": key})).xml()
    found = [*reversed(before.findall("Version")), *after.findall("DeleteMarker")]
    return ", ".join(f"{one.tag} {'latest' if one.findtext('IsLatest') == 'true' else 'old'}" for one in found)


@probe("version deleted", "204, 404 NoSuchVersion, 200")
async def _(site: Site) -> str:
    key = fresh_key("versions")
    first = (await site.put(VERSIONED, key, b"old")).header("x-amz-version-id") or ""
    await site.put(VERSIONED, key, b"new")
    gone = await site.delete(VERSIONED, key, {"versionId": first})
    missing = await site.get(VERSIONED, key, {"versionId": first})
    return f"{told(gone)}, {told(missing)}, {told(await site.get(VERSIONED, key))}"


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
