"""What a browser's page may read: the answer itself names the page's origin, not only the preflight.

Source: COS API, "PUT Bucket cors"; Fetch standard, "CORS check".
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.expect import assert_success
from tests.support.http1 import Response
from tests.support.names import OVERSEAS
from tests.support.site import Site

ORIGIN = "https://app.example.com"
RULES = b"""<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin>
<AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><ExposeHeader>ETag</ExposeHeader></CORSRule>
</CORSConfiguration>"""


@pytest.fixture
async def key(cos: Site) -> AsyncIterator[str]:
    assert_success(await cos.call("PUT", OVERSEAS, query={"cors": ""}, body=RULES))
    yield await cos.seed(OVERSEAS, b"content")
    await cos.call("DELETE", OVERSEAS, query={"cors": ""})


def told(answer: Response) -> tuple[str | None, str | None, str | None]:
    names = ("access-control-allow-origin", "access-control-expose-headers", "vary")
    first, second, third = (answer.header(name) for name in names)
    return first, second, third


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_page_may_read_what_a_rule_allows(cos: Site, key: str, method: str) -> None:
    answer = await cos.call(method, OVERSEAS, key, headers=[("origin", ORIGIN)])
    assert answer.status == 200
    assert told(answer) == (ORIGIN, "ETag", "Origin")


async def test_it_may_read_a_refusal_too(cos: Site, key: str) -> None:
    answer = await cos.get(OVERSEAS, key + "-absent", headers=[("origin", ORIGIN)])
    assert answer.status == 404
    assert told(answer) == (ORIGIN, "ETag", "Origin")


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", []),
        ("GET", [("origin", "https://app.example.org")]),
        ("DELETE", [("origin", ORIGIN)]),
    ],
    ids=["no page", "another origin", "another method"],
)
async def test_other_pages_are_told_nothing(
    cos: Site, key: str, method: str, headers: list[tuple[str, str | bytes]]
) -> None:
    answer = await cos.call(method, OVERSEAS, key, headers=headers)
    assert answer.status in (200, 204)
    assert told(answer) == (None, None, None)
