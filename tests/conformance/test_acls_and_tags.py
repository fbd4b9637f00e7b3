"""What is said of an object beside its bytes: canned ACLs and tags, there and back.

Source: COS API, "PUT Object acl", "PUT Object tagging"; AWS, S3 API, "Canned ACL", "Object tagging".
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from cos.signing import Scheme
from tests.support.client import HeaderField
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import Site, fresh_key

SCHEMES = {Scheme.SIGV4: "x-amz-", Scheme.Q_SIGN: "x-cos-"}
OWNER = ("CanonicalUser", "FULL_CONTROL")
EVERYBODY_READS = ("AllUsers", "READ")


@pytest.fixture(params=SCHEMES, ids=["s3", "cos"])
def site(cos: Site, request: pytest.FixtureRequest) -> Site:
    return replace(cos, client=replace(cos.client, scheme=request.param))


def named(site: Site, name: str) -> str:
    return SCHEMES[site.client.scheme] + name


def grants(answer: Response) -> list[tuple[str, str]]:
    """Grantee (the end of a group's URI, or its type) and permission."""
    assert_success(answer)
    found = []
    for grant in answer.xml().iter("Grant"):
        grantee = grant.find("Grantee")
        assert grantee is not None
        (kind,) = grantee.attrib.values()
        uri = grantee.findtext("URI")
        found.append((uri.rpartition("/")[2] if uri else kind, grant.findtext("Permission") or ""))
    return found


@pytest.mark.parametrize(
    ("canned", "expected"),
    [
        ("private", [OWNER]),
        ("public-read", [OWNER, EVERYBODY_READS]),
        ("public-read-write", [OWNER, EVERYBODY_READS, ("AllUsers", "WRITE")]),
        ("authenticated-read", [OWNER, ("AuthenticatedUsers", "READ")]),
    ],
)
@pytest.mark.parametrize("when", ["with the object", "afterwards", "with a copy"])
async def test_a_canned_acl_is_told(site: Site, canned: str, expected: list[tuple[str, str]], when: str) -> None:
    key, header = fresh_key("acl"), (named(site, "acl"), canned)
    if when == "with the object":
        assert_success(await site.put(EXAMPLE, key, b"x", [header]))
    elif when == "afterwards":
        await site.seed(EXAMPLE, b"x", key=key)
        assert_success(await site.call("PUT", EXAMPLE, key, {"acl": ""}, [header]))
    else:
        source = await site.seed(SOURCE, b"x")
        place = f"{SOURCE.name}/{source}" if site.client.scheme is Scheme.SIGV4 else SOURCE.source(source)
        assert_success(await site.put(EXAMPLE, key, b"", [(named(site, "copy-source"), place), header]))
    assert grants(await site.call("GET", EXAMPLE, key, {"acl": ""})) == expected


async def test_an_object_is_private_at_first(site: Site) -> None:
    key = await site.seed(EXAMPLE, b"x")
    assert grants(await site.call("GET", EXAMPLE, key, {"acl": ""})) == [OWNER]


async def test_a_multipart_upload_is_tagged_and_shared_when_it_begins(site: Site) -> None:
    begun = [(named(site, "tagging"), "a=1"), (named(site, "acl"), "public-read")]
    upload = await site.initiate(headers=begun)
    etag = (await site.upload_part(upload, 1, b"part")).header("etag")
    assert_success(await site.complete(upload, [(1, etag or "")]))
    tags = (await site.call("GET", EXAMPLE, upload.key, {"tagging": ""})).xml().iter("Tag")
    assert [(tag.findtext("Key"), tag.findtext("Value")) for tag in tags] == [("a", "1")]
    assert grants(await site.call("GET", EXAMPLE, upload.key, {"acl": ""})) == [OWNER, EVERYBODY_READS]


async def test_an_acl_comes_one_way_and_is_known(site: Site) -> None:
    key = await site.seed(EXAMPLE, b"x")
    header: HeaderField = (named(site, "acl"), "public-read")
    both = await site.call("PUT", EXAMPLE, key, {"acl": ""}, [header], b"<AccessControlPolicy/>")
    assert_error(both, 400, "UnexpectedContent")
    unknown = await site.call("PUT", EXAMPLE, key, {"acl": ""}, [(named(site, "acl"), "everybody")])
    assert_error(unknown, 400, "InvalidArgument")
    assert_error(await site.put(EXAMPLE, key, b"y", [(named(site, "acl"), "everybody")]), 400, "InvalidArgument")


def tagging(*tags: tuple[str, str]) -> bytes:
    rows = "".join(f"<Tag><Key>{name}</Key><Value>{value}</Value></Tag>" for name, value in tags)
    return f"<Tagging><TagSet>{rows}</TagSet></Tagging>".encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (tagging(*((f"k{number}", "v") for number in range(10))), None),
        (tagging(*((f"k{number}", "v") for number in range(11))), "InvalidTag"),
        (tagging(("k" * 128, "v" * 256)), None),
        (tagging(("k" * 129, "v")), "InvalidTag"),
        (tagging(("k", "v" * 257)), "InvalidTag"),
        (tagging(("", "v")), "InvalidTag"),
        (tagging(("k", "v"), ("k", "w")), "InvalidTag"),
        (b"<Tagging/>", "MalformedXML"),
        (b"<TagSet/>", "MalformedXML"),
    ],
    ids=["ten", "eleven", "longest", "long key", "long value", "no key", "same key", "no set", "no tagging"],
)
async def test_tags_keep_their_limits(site: Site, body: bytes, code: str | None) -> None:
    key = await site.seed(EXAMPLE, b"x")
    answer = await site.call("PUT", EXAMPLE, key, {"tagging": ""}, body=body)
    if code is None:
        assert_success(answer)
        return
    assert_error(answer, 400, code)
    assert list((await site.call("GET", EXAMPLE, key, {"tagging": ""})).xml().iter("Tag")) == []


async def test_s3_clients_are_told_how_many_tags_there_are(site: Site) -> None:
    key = fresh_key("tagged")
    assert_success(await site.put(EXAMPLE, key, b"x", [(named(site, "tagging"), "a=1&b=")]))
    expected = "2" if site.client.scheme is Scheme.SIGV4 else None
    for answer in (await site.head(EXAMPLE, key), await site.get(EXAMPLE, key)):
        assert answer.header(named(site, "tagging-count")) == expected
