"""What a body promised is checked on its way: a promise broken is refused, and nothing is stored.

On real sockets, from the client's bytes to what the embedded COS has stored.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from cos.signing import Scheme
from tests.support.aws_chunked import ChunkSigner, encode
from tests.support.client import Client, HeaderField, target
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response, exchange
from tests.support.names import CALLER_KEY, EXAMPLE, SERVER_KEY
from tests.support.site import MIB, Site, fresh_key, pattern
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.watch import Watch

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CONTENT = pattern(300_000, seed=90)
CRC32 = ("x-amz-checksum-crc32", base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode())
WRONG_CRC32 = ("x-amz-checksum-crc32", "AAAAAA==")


@pytest.fixture
def s3(gateway_site: Site) -> Client:
    return replace(gateway_site.client, scheme=Scheme.SIGV4)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class ChunkedPut:
    """A PUT of an aws-chunked body, and the lies to tell with it."""

    payload: str = SIGNED
    content: bytes = CONTENT
    sizes: Sequence[int] = (65_536, 65_536, 8_192)
    trailer: Sequence[tuple[str, str]] | None = None
    headers: Sequence[HeaderField] = field(default=())
    declared_bytes: int | None = None
    flipped: int | None = None
    """A byte of the encoded body to change."""
    http_chunked: bool = False
    host: str = EXAMPLE.host

    async def send(self, client: Client, key: str, query: Mapping[str, str] | None = None) -> Response:
        plain = encode(self.content, sizes=self.sizes, trailer=self.trailer)
        signed_extra = len(";chunk-signature=") + 64
        chunks = 1 + len([size for size in self.sizes if size]) + bool(len(self.content) > sum(self.sizes))
        length = len(plain)
        if self.payload != UNSIGNED_TRAILER:
            length += signed_extra * chunks
            if self.trailer is not None:
                length += len("x-amz-trailer-signature:") + 64 + 2
        framing: HeaderField = ("content-length", str(length))
        if self.http_chunked:
            framing = ("transfer-encoding", "chunked")
        declared = len(self.content) if self.declared_bytes is None else self.declared_bytes
        headers: list[HeaderField] = [
            framing,
            ("content-encoding", "aws-chunked"),
            ("x-amz-content-sha256", self.payload),
            ("x-amz-decoded-content-length", str(declared)),
            *self.headers,
        ]  # fmt: skip
        if self.trailer:
            headers.append(("x-amz-trailer", ",".join(name for name, _ in self.trailer)))
        head = client.render("PUT", self.host, target(key, query or {}), headers=headers, framed=False)
        seed = re.search(rb"Signature=([0-9a-f]{64})", head)
        moment = re.search(rb"x-amz-date: (\w+)", head)
        assert seed is not None
        assert moment is not None
        assert client.key is not None
        signer = ChunkSigner(client.key.secret_key, moment[1].decode(), client.region, seed[1].decode())
        body = encode(
            self.content,
            sizes=self.sizes,
            signer=None if self.payload == UNSIGNED_TRAILER else signer,
            trailer=self.trailer,
        )
        if self.flipped is not None:
            body = body[: self.flipped] + bytes([body[self.flipped] ^ 1]) + body[self.flipped + 1 :]
        assert self.http_chunked or len(body) == length
        if self.http_chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        pieces = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
        return await exchange(client.port, head, pieces=pieces)


async def assert_stored(site: Site, key: str, content: bytes) -> None:
    answer = await site.get(EXAMPLE, key)
    assert_success(answer)
    assert answer.body == content
    assert answer.header("content-encoding") is None


async def assert_nothing_stored(site: Site, key: str) -> None:
    behind = Client(site.emulator.port, SERVER_KEY)
    assert (await behind.send("HEAD", EXAMPLE.host, target(key))).status == 404


# --- a hash in the signature --------------------------------------------------------------------------------


async def test_content_with_the_signed_hash_is_stored(s3: Client, gateway_site: Site) -> None:
    key, content = fresh_key(), pattern(3 * MIB, seed=91)
    answer = await s3.send(
        "PUT", EXAMPLE.host, target(key), headers=[("x-amz-content-sha256", sha256(content))], body=content
    )
    assert_success(answer)
    await assert_stored(gateway_site, key, content)


@pytest.mark.parametrize("size", [0, 1, 100, 3 * MIB], ids=["nothing", "one byte", "one piece", "many pieces"])
async def test_content_without_the_signed_hash_is_refused_and_not_stored(
    s3: Client, gateway_site: Site, size: int
) -> None:
    key, content = fresh_key(), pattern(size, seed=92)
    answer = await s3.send(
        "PUT", EXAMPLE.host, target(key), headers=[("x-amz-content-sha256", sha256(content + b"x"))], body=content
    )
    assert_error(answer, 400, "XAmzContentSHA256Mismatch")
    await assert_nothing_stored(gateway_site, key)


async def test_a_document_without_the_signed_hash_is_refused_before_anything_is_sent(
    s3: Client, gateway_site: Site
) -> None:
    key = await gateway_site.seed(EXAMPLE, b"keep me")
    document = f"<Delete><Object><Key>{key}</Key></Object></Delete>".encode()
    headers = [("x-amz-content-sha256", sha256(document + b" "))]
    answer = await s3.send("POST", EXAMPLE.host, "/?delete", headers=headers, body=document)
    assert_error(answer, 400, "XAmzContentSHA256Mismatch")
    await assert_stored(gateway_site, key, b"keep me")


async def test_a_batch_delete_without_an_md5_gets_one(s3: Client, gateway_site: Site) -> None:
    key = await gateway_site.seed(EXAMPLE, b"delete me")
    document = f"<Delete><Object><Key>{key}</Key></Object></Delete>".encode()
    checksum = base64.b64encode(zlib.crc32(document).to_bytes(4, "big"))
    answer = await s3.send(
        "POST", EXAMPLE.host, "/?delete", headers=[("x-amz-checksum-crc32", checksum)], body=document
    )
    assert_success(answer)
    await assert_nothing_stored(gateway_site, key)


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"])
async def test_a_checksum_that_is_not_the_contents_is_refused(s3: Client, gateway_site: Site, name: str) -> None:
    key = fresh_key()
    headers = [(f"x-amz-checksum-{name}", "AAAAAA==")]
    answer = await s3.send("PUT", EXAMPLE.host, target(key), headers=headers, body=CONTENT)
    assert_error(answer, 400, "BadDigest")
    await assert_nothing_stored(gateway_site, key)


async def test_a_content_md5_that_is_not_the_contents_is_refused_by_cos(gateway_site: Site) -> None:
    key = fresh_key()
    md5 = base64.b64encode(hashlib.md5(b"something else").digest())
    answer = await gateway_site.put(EXAMPLE, key, CONTENT, [("content-md5", md5)])
    assert_error(answer, 400, "BadDigest")
    await assert_nothing_stored(gateway_site, key)


# --- aws-chunked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "put",
    [
        ChunkedPut(),
        ChunkedPut(sizes=()),
        ChunkedPut(content=b"", sizes=()),
        ChunkedPut(content=b"", sizes=(), payload=UNSIGNED_TRAILER, trailer=[("x-amz-checksum-crc32", "AAAAAA==")]),
        ChunkedPut(payload=SIGNED_TRAILER, trailer=[CRC32]),
        ChunkedPut(payload=UNSIGNED_TRAILER, trailer=[CRC32]),
        ChunkedPut(payload=UNSIGNED_TRAILER, trailer=[CRC32], headers=[("x-amz-sdk-checksum-algorithm", "CRC32")]),
        ChunkedPut(payload=UNSIGNED_TRAILER, trailer=[]),
        ChunkedPut(payload=UNSIGNED_TRAILER, trailer=[CRC32], http_chunked=True),
        ChunkedPut(http_chunked=True),
    ],
    ids=[
        "signed", "one chunk", "nothing", "nothing with a trailer", "signed trailer", "unsigned with a trailer",
        "with a hint", "trailer of nothing", "inside HTTP chunks", "signed inside HTTP chunks",
    ],
)  # fmt: skip
async def test_content_in_chunks_is_stored_without_them(s3: Client, gateway_site: Site, put: ChunkedPut) -> None:
    key = fresh_key()
    assert_success(await put.send(s3, key))
    await assert_stored(gateway_site, key, put.content)


async def test_the_other_content_codings_stay(s3: Client, gateway_site: Site) -> None:
    key = fresh_key()
    headers = [("content-encoding", "gzip, aws-chunked")]
    assert_success(await s3.send("PUT", EXAMPLE.host, target(key), headers=headers, body=b"x"))
    assert (await gateway_site.head(EXAMPLE, key)).header("content-encoding") == "gzip"


@pytest.mark.parametrize(
    ("put", "status", "code"),
    [
        (ChunkedPut(flipped=100), 403, "SignatureDoesNotMatch"),
        (ChunkedPut(flipped=200_000), 403, "SignatureDoesNotMatch"),
        (ChunkedPut(flipped=300_200), 403, "SignatureDoesNotMatch"),
        (ChunkedPut(flipped=5), 400, "InvalidRequest"),
        (ChunkedPut(declared_bytes=len(CONTENT) - 1), 400, "IncompleteBody"),
        (ChunkedPut(declared_bytes=len(CONTENT) + 1), 400, "IncompleteBody"),
        (ChunkedPut(declared_bytes=2 * len(CONTENT)), 400, "InvalidRequest"),
        (ChunkedPut(payload=UNSIGNED_TRAILER, trailer=[WRONG_CRC32]), 400, "BadDigest"),
        (ChunkedPut(payload=SIGNED_TRAILER, trailer=[WRONG_CRC32]), 400, "BadDigest"),
        (ChunkedPut(payload=UNSIGNED_TRAILER, trailer=[("x-amz-meta-a", "1")]), 400, "InvalidRequest"),
        (
            ChunkedPut(payload=UNSIGNED_TRAILER, trailer=[], headers=[("x-amz-trailer", CRC32[0])]),
            400,
            "MalformedTrailerError",
        ),
    ],
    ids=[
        "first chunk", "a later chunk", "last chunk", "no size", "declared less", "declared more", "declared much more",
        "wrong checksum", "wrong checksum, signed", "no checksum", "announced but missing",
    ],
)  # fmt: skip
async def test_chunks_that_are_not_what_was_promised_are_refused_and_not_stored(
    s3: Client, gateway_site: Site, put: ChunkedPut, status: int, code: str
) -> None:
    key = fresh_key()
    assert_error(await put.send(s3, key), status, code)
    await assert_nothing_stored(gateway_site, key)


async def test_chunks_signed_with_another_secret_are_refused_and_not_stored(s3: Client, gateway_site: Site) -> None:
    key = fresh_key()
    stranger = s3.with_key(replace(CALLER_KEY, secret_key="not the secret of this key"))
    assert_error(await ChunkedPut().send(stranger, key), 403, "SignatureDoesNotMatch")
    await assert_nothing_stored(gateway_site, key)


async def test_chunks_without_the_length_of_their_content_are_411(s3: Client) -> None:
    headers = [("x-amz-content-sha256", SIGNED)]
    answer = await s3.send("PUT", EXAMPLE.host, target(fresh_key()), headers=headers, body=b"x")
    assert_error(answer, 411, "MissingContentLength")


async def test_parts_in_chunks_make_an_object(s3: Client, gateway_site: Site) -> None:
    upload = await gateway_site.initiate(EXAMPLE)
    put = ChunkedPut(content=pattern(MIB, seed=93), sizes=(65_536,) * 16)
    answer = await put.send(s3, upload.key, {"partNumber": "1", "uploadId": upload.id})
    assert_success(answer)
    assert await gateway_site.copied(upload) == put.content


@pytest.mark.parametrize("promised", [False, True], ids=["plain", "with a signed hash"])
async def test_a_client_that_leaves_in_the_middle_stores_nothing_and_frees_the_upstream(
    s3: Client, gateway_site: Site, promised: bool
) -> None:
    key = fresh_key()
    upstream = Watch(gateway_site)
    headers = [("content-length", str(len(CONTENT)))]
    if promised:
        headers.append(("x-amz-content-sha256", sha256(CONTENT)))
    head = s3.render("PUT", EXAMPLE.host, target(key), headers=headers)
    _, writer = await asyncio.open_connection("127.0.0.1", s3.port)
    writer.write(head + CONTENT[:200_000])
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not [entry for entry in upstream.new() if entry.operation == "PutObject"]:
            await asyncio.sleep(0.02)
    assert [entry.error_code for entry in upstream.new()] == ["IncompleteBody"]
    await assert_nothing_stored(gateway_site, key)
