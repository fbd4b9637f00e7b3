"""Every key a client may choose comes through byte for byte, however the bucket is addressed and whoever signs.

Source: COS API, "Object Overview"; AWS, S3 API, "Object keys" (1,024 bytes of UTF-8); reference page §1.2, §5.2.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote
from xml.etree import ElementTree

import pytest

from cos.signing import Scheme
from tests.support.expect import assert_success
from tests.support.http1 import Response
from tests.support.names import EXAMPLE, GATEWAY_DOMAIN, SOURCE
from tests.support.site import Site, fresh_key
from tests.support.watch import Watch

KEYS = {
    "dot": "{}/./b",
    "dots": "{}/../b",
    "dots at the end": "{}/..",
    "dot at the end": "{}/.",
    "two slashes": "{}//b",
    "slash first": "/{}",
    "two slashes first": "//{}",
    "slash last": "{}/",
    "escaped slash": "{}%2Fb",
    "escaped escape": "{}%252F%",
    "plus": "{}+b",
    "tilde": "{}~b",
    "spaces": " {} b ",
    "reserved": "{}!'()*;:@&=$,?#[]",
    "markup": "{}<>\"'&amp;",
    "backslash": "{}\\b|^`{{}}",
    "cjk": "{}/目录/文件名",
    "emoji": "{}/😀🎉",
    "combining": "{}/e\u0301 \u00e9",
    "1024 bytes": "{}/" + "k" * 1024,
    "1024 bytes of utf-8": "{}/" + "目" * 341,
}


@dataclass(frozen=True, slots=True)
class Way:
    """How a request names the bucket and who signs it. `absolute`: the gateway is asked as an HTTP proxy."""

    scheme: Scheme
    host: str
    in_path: bool = False
    absolute: bool = False

    def target(self, key: str, spelling: str) -> str:
        bucket = f"/{EXAMPLE.name}" if self.in_path else ""
        path = f"{bucket}/{quote(key, safe=spelling)}"
        return f"http://{self.host}{path}" if self.absolute else path


WAYS = {
    "cos host": Way(Scheme.Q_SIGN, EXAMPLE.host),
    "cos host, s3": Way(Scheme.SIGV4, EXAMPLE.host),
    "gateway domain": Way(Scheme.Q_SIGN, f"{EXAMPLE.name}.{GATEWAY_DOMAIN}:8080"),
    "gateway domain, s3": Way(Scheme.SIGV4, f"{EXAMPLE.name}.{GATEWAY_DOMAIN}:8080"),
    "path": Way(Scheme.Q_SIGN, "127.0.0.1:8080", in_path=True),
    "path, s3": Way(Scheme.SIGV4, "127.0.0.1:8080", in_path=True),
    "proxy": Way(Scheme.Q_SIGN, EXAMPLE.host, absolute=True),
    "proxy, s3": Way(Scheme.SIGV4, EXAMPLE.host, absolute=True),
}
SPELLINGS = {"slashes as they are": "/-_.~", "every slash escaped": "-_.~"}


def filled(pattern: str) -> str:
    """A key no other test uses, cut or filled to 1,024 bytes where the pattern is as long as that."""
    key = pattern.format(fresh_key("key"))
    if len(key) < 300:
        return key
    cut = key.encode()[:1024].decode(errors="ignore")
    return cut + "k" * (1024 - len(cut.encode()))


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("pattern", KEYS.values(), ids=KEYS)
async def test_a_key_is_the_same_on_both_sides(gateway_site: Site, way: Way, pattern: str, spelling: str) -> None:
    key, upstream = filled(pattern), Watch(gateway_site)
    client = replace(gateway_site.client, scheme=way.scheme)
    content = key.encode()

    async def ask(method: str, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> Response:
        return await client.send(method, way.host, way.target(key, spelling), headers=headers, body=body)

    assert_success(await ask("PUT", content))
    assert (await ask("GET")).body == content
    assert (await ask("HEAD")).status == 200
    assert (await ask("DELETE")).status == 204
    assert {(entry.bucket, entry.key) for entry in upstream.new()} == {(EXAMPLE.name, key)}


@pytest.mark.parametrize("scheme", [Scheme.Q_SIGN, Scheme.SIGV4], ids=["cos", "s3"])
@pytest.mark.parametrize("pattern", KEYS.values(), ids=KEYS)
async def test_a_key_is_the_same_in_lists_and_copies(cos: Site, scheme: Scheme, pattern: str) -> None:
    site, key = replace(cos, client=replace(cos.client, scheme=scheme)), filled(pattern)
    await site.seed(SOURCE, key.encode(), key=key)
    listed = await site.call("GET", SOURCE, "", {"prefix": key, "encoding-type": "url"})
    assert [unquote(entry.findtext("Key") or "") for entry in listed.xml().iter("Contents")] == [key]
    s3 = scheme is Scheme.SIGV4
    name, source = (
        ("x-amz-copy-source", f"{SOURCE.name}/{quote(key, safe='/-_.~')}")
        if s3
        else ("x-cos-copy-source", SOURCE.source(key))
    )
    copied = await site.put(EXAMPLE, key, b"", [(name, source)])
    assert_success(copied)
    assert (await site.get(EXAMPLE, key)).body == key.encode()
    body = ElementTree.Element("Delete")
    ElementTree.SubElement(ElementTree.SubElement(body, "Object"), "Key").text = key
    deleted = await delete_batch(site, ElementTree.tostring(body, encoding="utf-8"))
    assert [entry.findtext("Key") for entry in deleted.xml().iter("Deleted")] == [key]
    assert (await site.head(EXAMPLE, key)).status == 404


async def delete_batch(site: Site, document: bytes) -> Response:
    md5 = base64.b64encode(hashlib.md5(document).digest()).decode()
    return await site.call("POST", EXAMPLE, "", {"delete": ""}, [("content-md5", md5)], document)
