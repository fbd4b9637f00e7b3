"""What is remembered from request to request: names, places and sources, and nothing that proves who somebody is.

Source: threat model C16. Every `lru_cache` and every `Memory` of the program is searched, with all that their keys and
results hold.
"""

from __future__ import annotations

import functools
import gc
import time
from collections.abc import Callable, Iterator

import pytest

from cos.address import parse_host
from cos.remembering import Memory, remembering
from cos.rewrite import UpstreamRequest
from cos.signing import Scheme, presign, sign
from cos.target import Parameter, render_query
from tests.support.fakes import KEY_ID, KEY_SECRET, UPSTREAM_SECRET, Bench

TOKEN = "token-CANARY-0000000000000000000001"
CUSTOMER_KEY = "customer-key-CANARY-00000000000001"
SOURCE_KEY = "source-customer-key-CANARY-0000001"
HOST = "dst-1250000000.cos.ap-guangzhou.myqcloud.com"
QUERY = (Parameter("partNumber", "1"), Parameter("uploadId", "u1"))
_ROOMS = ("cos", "gateway", "policies")


def _remembered() -> Iterator[bytes]:
    """Every text and byte string that a cache of the program's own functions holds."""
    kind = type(parse_host)
    assert kind.__name__ == "_lru_cache_wrapper"
    caches = [found for found in gc.get_objects() if isinstance(found, kind)]
    waiting: list[object] = [found for found in gc.get_objects() if isinstance(found, Memory)]
    assert waiting
    for cache in caches:
        module = getattr(cache.__wrapped__, "__module__", None)
        if module is None or module.partition(".")[0] in _ROOMS:
            # The first of them are its function and type; keys and results follow.
            waiting += [
                held for held in gc.get_referents(cache) if isinstance(held, dict | tuple) or not callable(held)
            ]
    seen: set[int] = set()
    while waiting:
        held = waiting.pop()
        if id(held) in seen or isinstance(held, type) or callable(held):
            continue
        seen.add(id(held))
        if isinstance(held, str | bytes):
            yield held.encode("utf-8", "replace") if isinstance(held, str) else held
            continue
        fields = getattr(type(held), "__struct_fields__", ())
        waiting += [getattr(held, name) for name in fields] if fields else gc.get_referents(held)


async def _copied(bench: Bench, key: str) -> list[str]:
    """A part copy with every secret a request can hold, in COS's own words; what must not be remembered of it."""
    fields = {
        b"x-cos-copy-source": b"src-1250000000.cos.ap-guangzhou.myqcloud.com/public/big.bin",
        b"x-cos-server-side-encryption-customer-key": CUSTOMER_KEY.encode(),
        b"x-cos-copy-source-server-side-encryption-customer-key": SOURCE_KEY.encode(),
        b"content-length": b"0",
    }
    target = f"/up/{key}".encode()
    made = sign(
        UpstreamRequest.of("PUT", HOST, target, QUERY, target + b"?" + render_query(QUERY), tuple(fields.items())),
        scheme=Scheme.Q_SIGN,
        secret_id=KEY_ID,
        secret_key=KEY_SECRET,
        token=TOKEN,
        now=int(time.time()),
        lifetime_seconds=600,
        region="",
    )
    answer = await bench.exchange("PUT", made.target, [(b"host", HOST.encode()), *made.headers], [b""])
    assert answer.status == 200, answer.body
    [(sent, _)] = bench.upstream.requests
    return [TOKEN, CUSTOMER_KEY, SOURCE_KEY, KEY_SECRET, UPSTREAM_SECRET, _signature(made), _signature(sent)]


def _signature(request: UpstreamRequest) -> str:
    return dict(request.headers)[b"authorization"].decode().rpartition("q-signature=")[2]


async def _presigned(bench: Bench, key: str) -> list[str]:
    """A presigned part copy in the words of S3, its token in the query."""
    made = presign(
        UpstreamRequest.of(
            method="PUT",
            host=HOST,
            path=f"/up/{key}".encode(),
            query=QUERY,
            target=f"/up/{key}?".encode() + render_query(QUERY),
            headers=((b"x-amz-copy-source", b"/src-1250000000/public/big.bin"),),
        ),
        scheme=Scheme.SIGV4,
        secret_id=KEY_ID,
        secret_key=KEY_SECRET,
        token=TOKEN,
        now=int(time.time()),
        lifetime_seconds=600,
        region="ap-guangzhou",
    )
    sent = [(b"host", HOST.encode()), *made.headers, (b"content-length", b"0")]
    answer = await bench.exchange("PUT", made.target, sent, [b""])
    assert answer.status == 200, answer.body
    return [TOKEN, KEY_SECRET, UPSTREAM_SECRET, made.target.rpartition(b"X-Amz-Signature=")[2][:64].decode()]


@pytest.mark.parametrize("send", [_copied, _presigned], ids=["cos-headers", "s3-presigned"])
async def test_no_cache_holds_a_secret(send: object, request: pytest.FixtureRequest) -> None:
    assert callable(send)
    key = f"remembered-{request.node.callspec.id}.mov"
    secrets = await send(Bench(), key)
    remembered = b"\n".join(_remembered())
    # What may be remembered is found, so that what is not found is not there.
    assert key.encode() in remembered
    assert b"src-1250000000" in remembered
    assert all(len(secret) > 20 for secret in secrets)
    assert [secret for secret in secrets if secret.encode() in remembered] == []


@pytest.mark.parametrize("remember", [functools.lru_cache(maxsize=4), remembering(4)], ids=["lru_cache", "remembering"])
def test_a_secret_in_a_cache_would_be_found(remember: Callable[[object], Callable[[str], object]]) -> None:
    def keep(text: str) -> tuple[str, ...]:
        return (text, "result-CANARY")

    keep.__module__ = "cos.somewhere"
    remembered_keep = remember(keep)
    remembered_keep("argument-CANARY")
    remembered = b"\n".join(_remembered())
    assert b"argument-CANARY" in remembered
    assert b"result-CANARY" in remembered
