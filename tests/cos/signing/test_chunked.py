"""aws-chunked bodies: AWS's published examples, any cut into pieces, and everything that must be refused.

Source of the examples: AWS, S3 API, "Transferring Payload in Multiple Chunks" and "… with Trailing Headers".
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from cos.errors import COSError
from cos.signing import sigv4
from cos.signing.chunked import MAX_TRAILER_BYTES, ChunkDecoder, ChunkSignatures
from cos.signing.claim import Scope, SigV4Terms
from cos.signing.keyed import Digest, KeyedDigest
from tests.support.aws_chunked import ChunkSigner, encode

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
MOMENT = "20130524T000000Z"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
CONTENT = b"a" * 66_560
SIGNER = ChunkSigner(SECRET, MOMENT, "us-east-1", SEED)
CRC32C = "x-amz-checksum-crc32c"

SIGNED_EXAMPLE = (
    b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
    + CONTENT[:65_536]
    + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
    + CONTENT[65_536:]
    + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
)
TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
TRAILER_EXAMPLE = (
    b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
    + CONTENT[:65_536]
    + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
    + CONTENT[65_536:]
    + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
    + b"x-amz-checksum-crc32c:sOO8/Q==\n\r\n"
    + b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)


def decoder(
    *, seed: str | None = None, trailer: frozenset[str] | None = None, content_bytes: int = len(CONTENT)
) -> ChunkDecoder:
    signatures = None
    if seed is not None:
        terms = SigV4Terms(MOMENT, Scope("20130524", "us-east-1", "s3"), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        key = KeyedDigest(sigv4.signing_key(SECRET, terms.scope), Digest.SHA256)
        signatures = ChunkSignatures(key, terms, seed)
    return ChunkDecoder(signatures=signatures, trailer_names=trailer, content_bytes=content_bytes)


def decode(reader: ChunkDecoder, body: bytes, size: int = 1 << 20) -> tuple[bytes, dict[str, str]]:
    content = b"".join(reader.feed(body[start : start + size]) for start in range(0, len(body), size))
    return content, reader.finish()


def refusal(reader: ChunkDecoder, body: bytes) -> str:
    with pytest.raises(COSError) as caught:
        decode(reader, body)
    return caught.value.code


# --- accepted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1 << 20, 65_536, 1_000, 7], ids=["at once", "64 KiB", "1000 bytes", "7 bytes"])
def test_the_published_example_of_signed_chunks_is_accepted(size: int) -> None:
    assert decode(decoder(seed=SEED), SIGNED_EXAMPLE, size) == (CONTENT, {})


@pytest.mark.parametrize("size", [1 << 20, 1_000, 7], ids=["at once", "1000 bytes", "7 bytes"])
def test_the_published_example_with_a_trailer_is_accepted(size: int) -> None:
    reader = decoder(seed=TRAILER_SEED, trailer=frozenset({CRC32C}))
    assert decode(reader, TRAILER_EXAMPLE, size) == (CONTENT, {CRC32C: "sOO8/Q=="})


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1 << 20])
@pytest.mark.parametrize("content", [b"", b"x", b"0123456789" * 7], ids=["nothing", "one byte", "seventy"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("trailer", [None, [], [(CRC32C, "AAAAAA==")]], ids=["none", "empty", "one"])
def test_any_cut_gives_the_content(
    content: bytes, signed: bool, trailer: list[tuple[str, str]] | None, size: int
) -> None:
    body = encode(content, sizes=(1, 20, 3), signer=replace(SIGNER) if signed else None, trailer=trailer)
    names = None if trailer is None else frozenset(name for name, _ in trailer)
    reader = decoder(seed=SEED if signed else None, trailer=names, content_bytes=len(content))
    assert decode(reader, body, size) == (content, dict(trailer or []))


# --- refused ------------------------------------------------------------------------------------------------


def changed(body: bytes, old: bytes, new: bytes) -> bytes:
    assert body.count(old) >= 1
    return body.replace(old, new, 1)


@pytest.mark.parametrize(
    "body",
    [
        changed(SIGNED_EXAMPLE, b"aaaa", b"aaab"),
        changed(SIGNED_EXAMPLE, b"signature=ad80", b"signature=ad81"),
        changed(SIGNED_EXAMPLE, b"signature=0055", b"signature=0056"),
        changed(SIGNED_EXAMPLE, b"signature=b6c6", b"signature=b6c7"),
    ],
    ids=["content", "first chunk", "second chunk", "last chunk"],
)
def test_a_chunk_that_does_not_match_its_signature_is_refused(body: bytes) -> None:
    assert refusal(decoder(seed=SEED), body) == "SignatureDoesNotMatch"


def test_chunks_in_another_order_are_refused() -> None:
    body = encode(b"abcdef", sizes=(3, 3), signer=replace(SIGNER))
    first, second, last = body.split(b"\r\n3;")[0], b"3;" + body.split(b"\r\n3;")[1].split(b"\r\n0;")[0], b"0;"
    swapped = second + b"\r\n" + first + b"\r\n" + last + body.split(b"\r\n0;")[1]
    assert decode(decoder(seed=SEED, content_bytes=6), body)[0] == b"abcdef"
    assert refusal(decoder(seed=SEED, content_bytes=6), swapped) == "SignatureDoesNotMatch"


def test_chunks_of_another_request_are_refused() -> None:
    assert refusal(decoder(seed="0" * 64), SIGNED_EXAMPLE) == "SignatureDoesNotMatch"


def test_a_chunk_left_out_is_refused() -> None:
    body = SIGNED_EXAMPLE[SIGNED_EXAMPLE.index(b"400;") :]
    assert refusal(decoder(seed=SEED, content_bytes=1024), body) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("declared", [0, 69, 71, 1000])
def test_content_of_another_length_than_declared_is_refused(declared: int) -> None:
    body = encode(b"0123456789" * 7, sizes=(30,), trailer=[])
    assert refusal(decoder(trailer=frozenset(), content_bytes=declared), body) == "IncompleteBody"


@pytest.mark.parametrize("end", [1, 2, 3, 5, 10])
def test_a_body_cut_short_is_refused(end: int) -> None:
    body = encode(b"0123456789", sizes=(5,), trailer=[])
    code = refusal(decoder(trailer=frozenset(), content_bytes=10), body[:-end])
    assert code == "IncompleteBody"


@pytest.mark.parametrize(
    "body",
    [
        b"xyz\r\n\r\n",
        b"-1\r\na\r\n0\r\n\r\n",
        b"0x1\r\na\r\n0\r\n\r\n",
        b"+1\r\na\r\n0\r\n\r\n",
        b" 1\r\na\r\n0\r\n\r\n",
        b"1 \r\na\r\n0\r\n\r\n",
        b"1;a=b\r\na\r\n0\r\n\r\n",
        b"1\na\r\n0\r\n\r\n" + b" " * 200,
        b"1\r\nab\r\n0\r\n\r\n",
        b"1\r\na\n\r\n0\r\n\r\n",
        b"\r\n1\r\na\r\n0\r\n\r\n",
        b"1000000000000000\r\n",
        b"1" * 200,
        b"1\r\na\r\n0;chunk-signature=" + b"0" * 64 + b"\r\n\r\n",
    ],
    ids=[
        "no number", "negative", "0x", "plus", "space before", "space behind", "extension", "bare LF", "too long",
        "LF in the end", "empty line", "huge", "endless size", "signature nobody asked for",
    ],
)  # fmt: skip
def test_what_is_not_a_chunk_is_refused(body: bytes) -> None:
    assert refusal(decoder(trailer=frozenset(), content_bytes=1), body) == "InvalidRequest"


@pytest.mark.parametrize(
    "body", [b"1\r\na\r\n0\r\n\r\n", b"1;chunk-signature=AB\r\n", b"1;chunk-signature=" + b"A" * 64 + b"\r\n"]
)
def test_a_chunk_without_a_signature_is_refused_where_chunks_are_signed(body: bytes) -> None:
    assert refusal(decoder(seed=SEED, content_bytes=1), body) == "InvalidRequest"


@pytest.mark.parametrize(
    "block",
    [
        b"\r\n",
        b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n",
        b"x-amz-checksum-crc32c:AAAAAA==\r\nx-amz-meta-a:1\r\n\r\n",
        b"x-amz-checksum-crc32c:AAAAAA==\r\nx-amz-checksum-crc32c:BBBBBB==\r\n\r\n",
        b"x-amz-checksum-crc32c:\r\n\r\n",
        b"x-amz-checksum-crc32c\r\n\r\n",
        b"x-amz-checksum-crc32c:a\x00b\r\n\r\n",
        b"x-amz-checksum-crc32c:AAAAAA==\r\nx-amz-trailer-signature:" + b"0" * 64 + b"\r\n\r\n",
        b"x" * (MAX_TRAILER_BYTES + 1),
    ],
    ids=["missing", "another", "one more", "twice", "empty", "no colon", "NUL", "signature nobody asked for", "long"],
)
def test_a_trailer_that_is_not_the_announced_one_is_refused(block: bytes) -> None:
    reader = decoder(trailer=frozenset({CRC32C}), content_bytes=0)
    assert refusal(reader, b"0\r\n" + block) == "MalformedTrailerError"


@pytest.mark.parametrize("old", [b"sOO8/Q==", b"signature:d81f"], ids=["value", "signature"])
def test_a_trailer_that_does_not_match_its_signature_is_refused(old: bytes) -> None:
    body = changed(TRAILER_EXAMPLE, old, old[:-1] + b"0")
    reader = decoder(seed=TRAILER_SEED, trailer=frozenset({CRC32C}))
    assert refusal(reader, body) == "SignatureDoesNotMatch"


def test_a_trailer_without_its_signature_is_refused() -> None:
    body = TRAILER_EXAMPLE[: TRAILER_EXAMPLE.index(b"x-amz-trailer-signature")] + b"\r\n"
    reader = decoder(seed=TRAILER_SEED, trailer=frozenset({CRC32C}))
    assert refusal(reader, body) == "MalformedTrailerError"


def test_bytes_behind_the_last_chunk_are_refused() -> None:
    assert refusal(decoder(seed=SEED), SIGNED_EXAMPLE + b"x") == "InvalidRequest"
    assert refusal(decoder(seed=SEED), SIGNED_EXAMPLE + SIGNED_EXAMPLE) == "InvalidRequest"
