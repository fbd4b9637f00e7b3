"""What a request costs in memory is in proportion to its bytes: beyond a fixed part, at most a hundred times them."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

from gateway.app import running as running_gateway
from tests.security.faulty_upstream import faulty_upstream
from tests.security.fixture_gateway import FIXTURE, fixture_settings
from tests.support.client import Client
from tests.support.http1 import exchange
from tests.support.names import Key

HOST = "dst-1250000000.cos.ap-guangzhou.myqcloud.com"
FIXED_BYTES = 256 * 1024
"""What one request may hold however small it is (threat model C15)."""
MAX_RATIO = 100
"""Threat model §4: no request may cost more than a hundred times its bytes."""
ALICE = FIXTURE["keys"]["alice"]

DELETED = "".join(f"<Object><Key>up/{n}</Key></Object>" for n in range(1000))
TINY_ELEMENTS = b"<Delete>" + b"<a/>" * 49_000 + b"</Delete>"
TOO_MANY_ELEMENTS = b"<Delete>" + b"<a/>" * 500_000 + b"</Delete>"
PARTS = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>e</ETag></Part>" for n in range(1, 10_001))
DEEP = b"<a>" * 100_000
ENTITIES = b"<Delete><Object><Key>" + b"&amp;" * 300_000 + b"</Key></Object></Delete>"

REQUESTS: dict[str, tuple[str, str, dict[str, str], bytes]] = {
    "long key": ("GET", "/up/" + "k" * 1000, {}, b""),
    "key of escapes": ("GET", "/up/" + "%2e" * 1000, {}, b""),
    "many parameters": ("GET", "/up/x?" + "&".join(f"response-{n}" for n in range(90)), {}, b""),
    "empty parameters": ("GET", "/up/x?" + "&" * 7000, {}, b""),
    "many fields": ("GET", "/up/x", {f"x-{n}": "" for n in range(85)}, b""),
    "many signed fields": ("PUT", "/up/x", {f"x-cos-meta-{n}": "v" for n in range(80)}, b""),
    "long copy source": ("PUT", "/up/x", {"x-cos-copy-source": "a" * 8000}, b""),
    "many etags": ("PUT", "/up/x", {"x-cos-copy-source-if-match": '"e",' * 2000}, b""),
    "upload": ("PUT", "/up/x", {}, b"x" * 4_000_000),
    "thousand deletes": ("POST", "/?delete", {}, f"<Delete>{DELETED}</Delete>".encode()),
    "tiny elements": ("POST", "/?delete", {}, TINY_ELEMENTS),
    "too many elements": ("POST", "/?delete", {}, TOO_MANY_ELEMENTS),
    "deep elements": ("POST", "/?delete", {}, DEEP),
    "entities": ("POST", "/?delete", {}, ENTITIES),
    "ten thousand parts": (
        "POST", "/up/x?uploadId=u", {}, f"<CompleteMultipartUpload>{PARTS}</CompleteMultipartUpload>".encode(),
    ),
}  # fmt: skip


async def test_no_request_costs_more_than_a_hundred_times_its_bytes(tmp_path: Path) -> None:
    costs: dict[str, float] = {}
    async with faulty_upstream() as upstream, running_gateway(fixture_settings(upstream.endpoint, tmp_path)) as gateway:
        client = Client(gateway.data_port, Key(ALICE["ak"], ALICE["sk"]))
        await client.send("GET", HOST, "/up/first")  # what is made once is not a request's
        tracemalloc.start()
        try:
            for name, (method, target, headers, body) in REQUESTS.items():
                raw = client.render(method, HOST, target, headers=headers.items(), body=body)
                gc.collect()
                before, _ = tracemalloc.get_traced_memory()
                tracemalloc.reset_peak()
                answer = await exchange(gateway.data_port, raw)
                assert answer.status != 500
                _, peak = tracemalloc.get_traced_memory()
                costs[name] = max(0, peak - before - FIXED_BYTES) / len(raw)
        finally:
            tracemalloc.stop()
    assert {name: cost for name, cost in costs.items() if cost > MAX_RATIO} == {}
    # The measurement sees what it should: a document of elements costs several times its bytes.
    assert costs["tiny elements"] > 2
