"""Part copies as a client sends them: signed once by our own signer, played back as bytes."""

from __future__ import annotations

import time

from cos.rewrite import UpstreamRequest
from cos.signing import Scheme, sign
from cos.target import Parameter, render_query

ACCESS_KEY_ID = "GWAKBENCHMARK"
SECRET = "BenchmarkSecret00000000000000001"
PRINCIPAL = "team:media"
DESTINATION_HOST = "media-1250000000.cos.ap-guangzhou.myqcloud.com"
SOURCE_HOST = "raw-1250000000.cos.ap-guangzhou.myqcloud.com"
PART_BYTES = 8 * 1024 * 1024
UPLOAD_ID = "1505706248ca8373f8a5cd52cb129f4bcf85e11dc8833df34f4f5bcc456c99c42cd1ffa2f9"
LIFETIME_SECONDS = 6 * 3600

RESULT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<CopyPartResult>\n'
    "\t<ETag>&quot;b1946ac92492d2347c6235b4d2611184&quot;</ETag>\n"
    "\t<LastModified>2026-08-01T08:00:00Z</LastModified>\n</CopyPartResult>"
)
"""What COS answers a part copy with."""


def signed(
    method: str,
    key: str,
    query: tuple[Parameter, ...] = (),
    headers: tuple[tuple[bytes, bytes], ...] = (),
    *,
    access_key_id: str = ACCESS_KEY_ID,
    secret: str = SECRET,
    host: str = DESTINATION_HOST,
) -> UpstreamRequest:
    """A request to a bucket, signed like an SDK's; `headers` decide the framing."""
    path = b"/" + key.encode()
    target = path + (b"?" + render_query(query) if query else b"")
    request = UpstreamRequest.of(
        method=method,
        host=host,
        path=path,
        query=query,
        target=target,
        headers=((b"user-agent", b"cos-python-sdk-v5.1.9.44"), (b"accept", b"*/*"), *headers),
    )
    return sign(
        request,
        scheme=Scheme.Q_SIGN,
        secret_id=access_key_id,
        secret_key=secret,
        token=None,
        now=int(time.time()),
        lifetime_seconds=LIFETIME_SECONDS,
        region="ap-guangzhou",
    )


def render(request: UpstreamRequest) -> bytes:
    """The request as bytes on the wire, without a body."""
    head = [b"%s %s HTTP/1.1\r\nHost: %s\r\n" % (request.method.encode(), request.target, request.host.encode())]
    head += [b"%s: %s\r\n" % field for field in request.headers]
    return b"".join(head) + b"\r\n"


def part_copy(number: int, *, access_key_id: str = ACCESS_KEY_ID, secret: str = SECRET) -> UpstreamRequest:
    """Upload Part - Copy of the `number`th 8 MiB of one film."""
    first = (number - 1) * PART_BYTES
    return signed(
        "PUT",
        "films/2026/film.mov",
        (Parameter("partNumber", str(number)), Parameter("uploadId", UPLOAD_ID)),
        (
            (b"x-cos-copy-source", f"{SOURCE_HOST}/incoming/2026/film.mov".encode()),
            (b"x-cos-copy-source-range", b"bytes=%d-%d" % (first, first + PART_BYTES - 1)),
            (b"content-length", b"0"),
        ),
        access_key_id=access_key_id,
        secret=secret,
    )  # fmt: skip


def part_copies(count: int = 512) -> list[bytes]:
    """Different part copies, ready to send."""
    return [render(part_copy(number)) for number in range(1, count + 1)]
