"""Object metadata: read from a request's headers, written to a response's."""

from __future__ import annotations

from cos.errors import COSError
from cos.request import Request
from emulator.encryption import ALGORITHM, read_encryption
from emulator.exchange import Exchange, quoted
from emulator.store.model import Content, Metadata, ObjectVersion, Versioning

_STANDARD_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
_OVERRIDES = {f"response-{name}": name for name in _STANDARD_HEADERS}
_STORAGE_CLASSES = frozenset(
    {
        "STANDARD", "STANDARD_IA", "MAZ_STANDARD", "MAZ_STANDARD_IA", "INTELLIGENT_TIERING", "MAZ_INTELLIGENT_TIERING",
        "ARCHIVE", "DEEP_ARCHIVE",
    }
)  # fmt: skip


def read_metadata(request: Request) -> Metadata:
    """What the request says about the object it writes.

    Raises COSError(InvalidArgument, SSEContentNotSupported).
    """
    headers: list[tuple[str, str]] = []
    meta_prefix = f"{request.dialect}meta-"
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name.startswith(meta_prefix):
            headers.append((name.removeprefix(request.dialect), value))
        elif name in _STANDARD_HEADERS and value:
            headers.append((name, "" if name == "content-encoding" and value == "aws-chunked" else value))
    encryption, customer_key_md5 = read_encryption(request)
    return Metadata(
        headers=tuple((name, value) for name, value in headers if value),
        storage_class=_read_storage_class(request),
        encryption=encryption,
        customer_key_md5=customer_key_md5,
    )


def merge_copied(source: Metadata, asked: Metadata, *, replaced: bool, storage_class_given: bool) -> Metadata:
    """The metadata of a copy: the source's headers unless replaced; class and encryption as asked."""
    return Metadata(
        headers=asked.headers if replaced else source.headers,
        storage_class=asked.storage_class if storage_class_given else source.storage_class,
        encryption=asked.encryption,
        customer_key_md5=asked.customer_key_md5,
    )


def object_headers(
    exchange: Exchange, version: ObjectVersion, content: Content, state: Versioning
) -> list[tuple[str, str]]:
    """The headers GET and HEAD answer with, without the length."""
    held = dict(version.metadata.headers)
    overrides = {}
    for parameter, name in _OVERRIDES.items():
        value = exchange.parameter(parameter)
        if value:
            overrides[name] = value.encode("utf-8").decode("latin-1")
    headers = [("content-type", overrides.pop("content-type", held.pop("content-type", "application/octet-stream")))]
    for name, value in {**held, **overrides}.items():
        headers.append((exchange.named(name) if name.startswith("meta-") else name, value))
    headers.append(("accept-ranges", "bytes"))
    headers.append(("x-cos-object-type", version.kind.value))
    if version.metadata.storage_class != "STANDARD":
        headers.append((exchange.named("storage-class"), version.metadata.storage_class))
    return [*headers, *entity_headers(exchange, version, content, state)]


def entity_headers(
    exchange: Exchange, version: ObjectVersion, content: Content, state: Versioning
) -> list[tuple[str, str]]:
    """ETag, CRC, version and encryption: what a write and a read both answer with."""
    headers = [("etag", quoted(content.etag)), ("x-cos-hash-crc64ecma", str(content.crc64))]
    if state is not Versioning.OFF:
        headers.append((exchange.named("version-id"), version.version_id))
    return [*headers, *encryption_headers(exchange, version.metadata)]


def encryption_headers(exchange: Exchange, metadata: Metadata) -> list[tuple[str, str]]:
    """`x-cos-server-side-encryption: AES256` for COS's own keys; algorithm and MD5 of a customer's key."""
    if metadata.customer_key_md5:
        return [
            (exchange.named("server-side-encryption-customer-algorithm"), ALGORITHM),
            (exchange.named("server-side-encryption-customer-key-md5"), metadata.customer_key_md5),
        ]
    return [(exchange.named("server-side-encryption"), metadata.encryption)] if metadata.encryption else []


def _read_storage_class(request: Request) -> str:
    raw = request.control("storage-class")
    if not raw:
        return "STANDARD"
    storage_class = raw.decode("latin-1").upper()
    if storage_class not in _STORAGE_CLASSES:
        raise COSError("InvalidArgument", f"Expected a storage class of COS, got {storage_class[:40]!r}.")
    return storage_class
