"""One request being answered: what handlers read, and the response they return."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cos.address import Address
from cos.calls import Call
from cos.errors import COSError
from cos.operations import Operation
from cos.request import Dialect, Request
from cos.xml import Element, render_document
from emulator.body import RequestBody
from emulator.reading import Digests
from emulator.settings import Account
from emulator.store.model import BlobRecord, BucketRecord
from emulator.store.ports import Store
from emulator.store.tables import Tables

T = TypeVar("T")

S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

READABLE_WHEN_SHARED = frozenset(
    {"GetBucket", "GetBucketLocation", "GetObject", "HeadBucket", "HeadObject", "OptionsBucket", "OptionsObject"}
)
"""What an account may do in a bucket of another account that is shared with it."""


@dataclass(slots=True)
class Response:
    """An answer. Header values are text of latin-1 characters: bytes received are sent back unchanged.

    `length_bytes` is for streamed bodies and for HEAD; None with a streamed body means chunked.
    """

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | AsyncGenerator[bytes, None] = b""
    length_bytes: int | None = None
    release: Callable[[], None] | None = None
    """Called once the response was sent or given up."""


class Refusal(COSError):
    """A COSError whose answer carries headers of its own."""

    def __init__(self, code: str, message: str | None = None, *, headers: tuple[tuple[str, str], ...]) -> None:
        super().__init__(code, message)
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Caller:
    """The account behind a verified signature; None for what may come unsigned (OPTIONS)."""

    account: Account
    access_key_id: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request whose signature was verified. `now` is Unix seconds."""

    request: Request
    address: Address
    operation: Operation
    call: Call
    caller: Caller | None
    body: RequestBody
    store: Store
    digests: Digests
    now: float
    new_version_id: Callable[[], str]

    @property
    def dialect(self) -> Dialect:
        return self.request.dialect

    @property
    def bucket_name(self) -> str:
        """The addressed bucket; only for operations on a bucket or object."""
        if self.address.bucket is None:
            raise COSError("InvalidURI", "Expected a bucket to be addressed.")
        return self.address.bucket

    @property
    def key(self) -> str:
        """The addressed key; only for operations on an object."""
        if self.address.key is None:
            raise COSError("InvalidURI", "Expected an object to be addressed.")
        return self.address.key

    def parameter(self, name: str) -> str:
        """A query parameter's value, empty when absent."""
        return self.request.target.value(name) or ""

    def control(self, name: str) -> str:
        """A control header's text in the request's dialect, empty when absent."""
        return self.request.headers.text(f"{self.dialect}{name}".encode()) or ""

    def named(self, name: str) -> str:
        """A response header's name in the request's dialect: `named("version-id")`."""
        return f"{self.dialect}{name}"

    def require_bucket(self, tables: Tables) -> BucketRecord:
        """The addressed bucket, if it is in the addressed region and the caller may use it.

        Raises COSError(NoSuchBucket, AccessDenied).
        """
        bucket = tables.bucket(self.bucket_name)
        if bucket is None or (self.address.region is not None and bucket.region != self.address.region):
            raise COSError("NoSuchBucket")
        if self.caller is not None and not self._may_use(bucket, self.caller.account):
            raise COSError("AccessDenied")
        return bucket

    async def save(self, record: BlobRecord, work: Callable[[Tables], T]) -> T:
        """Run a transaction that puts a new blob to use; when it raises, the blob is deleted."""

        done = False

        def saving(tables: Tables) -> T:
            nonlocal done
            tables.blobs.add(record)
            result = work(tables)
            done = True
            return result

        try:
            return await self.store.transact(saving)
        except BaseException:
            # Cancelled after the work was done, the transaction may have been committed: the blob is in use. One
            # that is in no use after all is deleted when the store is opened next.
            if not done:
                await self.store.call(lambda: self.store.blobs.delete([record.blob]))
            raise

    def xml(self, root: Element, headers: list[tuple[str, str]] | None = None, status: int = 200) -> Response:
        """A response with an XML document, in the S3 namespace when the request speaks S3."""
        return Response(status, [("content-type", "application/xml"), *(headers or [])], self.render(root))

    def render(self, root: Element) -> bytes:
        document = render_document(root)
        if self.dialect is Dialect.S3:
            # The parser in `cos.xml` has no attributes; the namespace is the one that is ever written.
            opening = f"<{root.tag}>".encode()
            document = document.replace(opening, f'<{root.tag} xmlns="{S3_NAMESPACE}">'.encode(), 1)
        return document

    def _may_use(self, bucket: BucketRecord, account: Account) -> bool:
        if bucket.account == account.appid:
            return True
        return account.appid in bucket.shared_with and self.operation.name in READABLE_WHEN_SHARED


def quoted(etag: str) -> str:
    """An ETag as headers and documents write it."""
    return f'"{etag}"'
