"""The COS a test speaks to: the embedded COS itself, or the gateway in front of it.

A `Site` holds a signing client and the names of the buckets, and offers the operations as one-line calls,
so that a conformance test says only what the document says. Every call returns the raw answer; the calls
named `seed_…` and `initiate` also insist that it is a success.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from xml.sax.saxutils import escape

from emulator.request_log import RequestLog
from emulator.server import RunningEmulator
from tests.support.client import Client, HeaderField, target
from tests.support.http1 import Response
from tests.support.names import EXAMPLE, Bucket, Key

MIB = 1024 * 1024


class Kind(StrEnum):
    """What answers at the port of a Site."""

    EMULATOR = "emulator"
    GATEWAY = "gateway"
    SWIFT = "swift"


_numbers = itertools.count(1)


def fresh_key(stem: str = "object") -> str:
    """An object key no other test of this process uses."""
    return f"{stem}-{next(_numbers)}"


def pattern(size: int, seed: int = 0) -> bytes:
    """`size` bytes in which every offset is recognisable: no two aligned 32-byte blocks are equal."""
    blocks = (hashlib.sha256(b"%d/%d" % (seed, number)).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def quoted_md5(content: bytes) -> str:
    """The ETag of an object or part with this content: its MD5 in quotes."""
    return f'"{hashlib.md5(content).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that was initiated."""

    bucket: Bucket
    key: str
    id: str


@dataclass(frozen=True, slots=True)
class Site:
    """One COS endpoint under test, with the operations the tests need."""

    kind: Kind
    client: Client
    emulator: RunningEmulator = field(repr=False)
    """The embedded COS that answers, or that the gateway asks."""

    @property
    def port(self) -> int:
        return self.client.port

    @property
    def log(self) -> RequestLog:
        """What the upstream was asked."""
        return self.emulator.emulator.log

    def with_key(self, key: Key | None) -> Site:
        """The same site, asked with another key; None leaves requests unsigned."""
        return replace(self, client=self.client.with_key(key))

    async def call(
        self,
        method: str,
        bucket: Bucket,
        key: str = "",
        query: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        headers: Iterable[HeaderField] = (),
        body: bytes = b"",
    ) -> Response:
        """Any signed request at the bucket's COS host."""
        query = query if isinstance(query, Mapping) else list(query)
        return await self.client.send(method, bucket.host, target(key, query), headers=headers, body=body)

    async def put(self, bucket: Bucket, key: str, body: bytes, headers: Iterable[HeaderField] = ()) -> Response:
        return await self.call("PUT", bucket, key, headers=headers, body=body)

    async def get(
        self, bucket: Bucket, key: str, query: Mapping[str, str] | None = None, headers: Iterable[HeaderField] = ()
    ) -> Response:
        return await self.call("GET", bucket, key, query or {}, headers)

    async def head(
        self, bucket: Bucket, key: str, query: Mapping[str, str] | None = None, headers: Iterable[HeaderField] = ()
    ) -> Response:
        return await self.call("HEAD", bucket, key, query or {}, headers)

    async def delete(self, bucket: Bucket, key: str, query: Mapping[str, str] | None = None) -> Response:
        return await self.call("DELETE", bucket, key, query or {})

    async def seed(self, bucket: Bucket, body: bytes, *, stem: str = "source", key: str | None = None) -> str:
        """Store an object under a fresh key (or `key`) and return the key."""
        key = key if key is not None else fresh_key(stem)
        answer = await self.put(bucket, key, body)
        assert answer.status == 200, answer
        return key

    async def seed_version(self, bucket: Bucket, key: str, body: bytes) -> str:
        """Store one more version of an object in a bucket with versioning and return its version ID."""
        answer = await self.put(bucket, key, body)
        version_id = answer.header("x-cos-version-id")
        assert answer.status == 200, answer
        assert version_id, f"no x-cos-version-id: is versioning enabled? {answer}"
        return version_id

    async def seed_delete_marker(self, bucket: Bucket, key: str) -> str:
        """Delete an object without naming a version and return the delete marker's version ID."""
        answer = await self.delete(bucket, key)
        assert answer.status == 204, answer
        assert answer.header("x-cos-delete-marker") == "true", answer
        version_id = answer.header("x-cos-version-id")
        assert version_id, answer
        return version_id

    async def initiate(
        self, bucket: Bucket = EXAMPLE, key: str | None = None, headers: Iterable[HeaderField] = ()
    ) -> Upload:
        """Initiate Multipart Upload, insisting on success."""
        key = key if key is not None else fresh_key("target")
        answer = await self.call("POST", bucket, key, {"uploads": ""}, headers)
        assert answer.status == 200, answer
        return Upload(bucket, key, answer.text("UploadId"))

    async def upload_part(self, upload: Upload, number: int, body: bytes) -> Response:
        query = {"partNumber": str(number), "uploadId": upload.id}
        return await self.call("PUT", upload.bucket, upload.key, query, body=body)

    async def copy_part(
        self,
        upload: Upload,
        source: str | bytes | None,
        *,
        number: int | str = 1,
        byte_range: str | None = None,
        conditions: Mapping[str, str] | None = None,
        headers: Iterable[HeaderField] = (),
        body: bytes = b"",
    ) -> Response:
        """Upload Part - Copy. `source` None sends no copy source; `conditions` by the names after the prefix."""
        fields: list[HeaderField] = [] if source is None else [("x-cos-copy-source", source)]
        if byte_range is not None:
            fields.append(("x-cos-copy-source-range", byte_range))
        fields += [(f"x-cos-copy-source-{name}", value) for name, value in (conditions or {}).items()]
        query = {"partNumber": str(number), "uploadId": upload.id}
        return await self.call("PUT", upload.bucket, upload.key, query, [*fields, *headers], body)

    async def complete(self, upload: Upload, parts: Iterable[tuple[int, str]]) -> Response:
        """Complete Multipart Upload from (part number, ETag) pairs."""
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>" for number, etag in parts
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        return await self.call("POST", upload.bucket, upload.key, {"uploadId": upload.id}, body=body)

    async def abort(self, upload: Upload) -> Response:
        return await self.call("DELETE", upload.bucket, upload.key, {"uploadId": upload.id})

    async def list_parts(self, upload: Upload, query: Mapping[str, str] | None = None) -> Response:
        return await self.call("GET", upload.bucket, upload.key, {"uploadId": upload.id, **(query or {})})

    async def copied(self, upload: Upload) -> bytes:
        """Complete an upload whose only part is number 1 and return the object's bytes."""
        etag = (await self.list_parts(upload)).text("Part/ETag")
        answer = await self.complete(upload, [(1, etag)])
        assert answer.status == 200, answer
        assert b"<Error>" not in answer.body, answer
        return (await self.get(upload.bucket, upload.key)).body


def part_etag(answer: Response) -> str:
    """The ETag of a successful part copy, as its body gives it (with quotes)."""
    assert answer.status == 200, answer
    assert answer.xml().tag == "CopyPartResult", answer.body
    return answer.text("ETag")
