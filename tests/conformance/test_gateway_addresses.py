"""The addresses under which the gateway answers, and the copy sources it translates.

Sources: DESIGN §4, "Addresses accepted", "Copy sources accepted"; reference page §5.2.
"""

from __future__ import annotations

import pytest

from tests.support.client import target
from tests.support.expect import assert_error
from tests.support.names import EXAMPLE, FARAWAY, GATEWAY_DOMAIN, SERVER_KEY, SOURCE, Bucket
from tests.support.site import Site, fresh_key, part_etag, pattern, quoted_md5
from tests.support.watch import Watch

CONTENT = pattern(700, seed=52)


@pytest.fixture
async def key(gateway_site: Site) -> str:
    return await gateway_site.seed(EXAMPLE, CONTENT, stem="目录/a b")


@pytest.mark.parametrize(
    "host",
    [
        EXAMPLE.host,
        EXAMPLE.host.upper(),
        f"{EXAMPLE.host}:80",
        f"{EXAMPLE.name}.cos.{EXAMPLE.region}.tencentcos.cn",
        f"{EXAMPLE.name}.{GATEWAY_DOMAIN}",
        f"{EXAMPLE.name}.{GATEWAY_DOMAIN}:9000",
        f"{EXAMPLE.name}.cos.{EXAMPLE.region}.{GATEWAY_DOMAIN}",
        f"{EXAMPLE.name}.cos.{EXAMPLE.region}.{GATEWAY_DOMAIN}:9000",
    ],
)
async def test_a_bucket_is_addressed_by_its_host(gateway_site: Site, key: str, host: str) -> None:
    answer = await gateway_site.client.send("GET", host, target(key))
    assert (answer.status, answer.body) == (200, CONTENT)


@pytest.mark.parametrize("host", [GATEWAY_DOMAIN, f"{GATEWAY_DOMAIN}:9000", "127.0.0.1", "127.0.0.1:9000", "localhost"])
async def test_a_bucket_is_addressed_by_the_first_segment_of_the_path(gateway_site: Site, key: str, host: str) -> None:
    answer = await gateway_site.client.send("GET", host, f"/{EXAMPLE.name}{target(key)}")
    assert (answer.status, answer.body) == (200, CONTENT)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_http_proxy_is_asked_with_the_whole_url(gateway_site: Site, key: str, scheme: str) -> None:
    answer = await gateway_site.client.send("GET", EXAMPLE.host, f"{scheme}://{EXAMPLE.host}{target(key)}")
    assert (answer.status, answer.body) == (200, CONTENT)


@pytest.mark.parametrize(
    "host",
    [
        f"{EXAMPLE.host}.evil.example",
        f"{EXAMPLE.name}.cos.{EXAMPLE.region}.myqcloud.com.",
        f"{EXAMPLE.name}.cos.accelerate.myqcloud.com",
        f"{EXAMPLE.name}.cos-website.{EXAMPLE.region}.myqcloud.com",
        f"{EXAMPLE.name}.cn-south.myqcloud.com",
        "evil.example",
        f"a.b.{GATEWAY_DOMAIN}",
        "169.254.169.254",
        f"{EXAMPLE.host}:0",
        f"{EXAMPLE.host}:99999",
    ],
)
async def test_any_other_host_is_refused_and_nothing_is_sent(gateway_site: Site, key: str, host: str) -> None:
    upstream = Watch(gateway_site)
    answer = await gateway_site.client.send("GET", host, target(key))
    assert answer.status in (400, 403), answer
    assert upstream.new() == []


async def test_the_target_and_the_host_must_agree(gateway_site: Site, key: str) -> None:
    upstream = Watch(gateway_site)
    answer = await gateway_site.client.send("GET", FARAWAY.host, f"http://{EXAMPLE.host}{target(key)}")
    assert_error(answer, 400, "InvalidURI", "InvalidRequest")
    assert upstream.new() == []


async def test_a_bucket_addressed_in_a_region_it_is_not_in_is_refused(gateway_site: Site, key: str) -> None:
    upstream = Watch(gateway_site)
    answer = await gateway_site.client.send("GET", f"{EXAMPLE.name}.cos.ap-beijing.myqcloud.com", target(key))
    assert answer.status in (400, 403, 404), answer
    assert upstream.new() == []


@pytest.mark.parametrize(
    "form",
    [
        "{bucket}.cos.{region}.myqcloud.com/{key}",
        "{bucket}.cos.{region}.tencentcos.cn/{key}",
        "{bucket}.cos-internal.{region}.tencentcos.cn/{key}",
        "{bucket}.{domain}/{key}",
        "{bucket}.{domain}:9000/{key}",
        "{bucket}.cos.{region}.{domain}/{key}",
    ],
)
@pytest.mark.parametrize("source", [SOURCE, FARAWAY], ids=["same region", "another region"])
async def test_a_copy_source_reaches_cos_under_its_real_host(gateway_site: Site, form: str, source: Bucket) -> None:
    source_key = await gateway_site.seed(source, CONTENT, stem="目录 a+b")
    upload = await gateway_site.initiate()
    raw = form.format(bucket=source.name, region=source.region, domain=GATEWAY_DOMAIN, key=target(source_key)[1:])
    if "cos-internal" in form:
        raw = f"{source.name}.cos-internal.{source.region}.tencentcos.cn{target(source_key)}"
    upstream = Watch(gateway_site)
    assert part_etag(await gateway_site.copy_part(upload, raw)) == quoted_md5(CONTENT)
    (seen,) = upstream.new()
    assert seen.access_key_id == SERVER_KEY.secret_id
    assert seen.host == EXAMPLE.host
    assert seen.copy_source.startswith(f"{source.host}/"), seen.copy_source


async def test_a_copy_source_without_bucket_is_refused(gateway_site: Site) -> None:
    # What the Java SDK sends when its endpoint is the gateway and the source names no region.
    upload = await gateway_site.initiate()
    upstream = Watch(gateway_site)
    answer = await gateway_site.copy_part(upload, f"{GATEWAY_DOMAIN}:9000/key")
    assert_error(answer, 400, "InvalidCopySource")
    assert upstream.new() == []


@pytest.mark.parametrize("path", ["/health", "/healthz", "/metrics", "/admin", "/favicon.ico"])
async def test_the_data_port_has_no_path_of_its_own(gateway_site: Site, path: str) -> None:
    assert (await gateway_site.put(EXAMPLE, path[1:], CONTENT)).status == 200
    assert (await gateway_site.get(EXAMPLE, path[1:])).body == CONTENT
    unsigned = await gateway_site.with_key(None).get(EXAMPLE, path[1:])
    assert_error(unsigned, 403, "AccessDenied")


@pytest.mark.parametrize("stem", ["a/../b", "a/./b", "a//b", "..", "/leading", "a%2Fb", "%2e%2e", "trailing/"])
async def test_the_key_that_reaches_cos_is_the_key_that_was_asked_for(gateway_site: Site, stem: str) -> None:
    key = stem if stem.startswith("/") else f"{fresh_key()}/{stem}"
    upstream = Watch(gateway_site)
    answer = await gateway_site.client.send("PUT", EXAMPLE.host, "/" + target(key)[1:], body=CONTENT)
    assert answer.status == 200, answer
    (seen,) = upstream.new()
    assert seen.key == key
