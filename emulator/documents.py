"""Sub-resources that are documents: kept as they came, returned as they were.

What a document says has no effect on the emulator, except CORS rules (see `cors`). Where none was put, COS
answers with an error of the document's own or with a default document.
Source: COS API, the pages of each sub-resource; reference page §4, §6.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from cos.errors import COSError
from cos.operations import Body
from cos.xml import element, render_document
from emulator.acl import asked_acl, canned_acl
from emulator.exchange import Exchange, Response
from emulator.store.model import NULL_VERSION
from emulator.store.tables import Tables
from emulator.tagging import MAX_BUCKET_TAGS, MAX_TAGS, check_tagging


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of document: the error when it is absent, or the root of an empty one."""

    missing_code: str = ""
    empty_root: str = ""
    put_status: int = 200


_KINDS: dict[str, _Kind] = {
    "cors": _Kind(missing_code="NoSuchCORSConfiguration"),
    "lifecycle": _Kind(missing_code="NoSuchLifecycleConfiguration"),
    "tagging": _Kind(missing_code="NoSuchTagSet", put_status=204),
    "policy": _Kind(missing_code="NoSuchBucketPolicy", put_status=204),
    "website": _Kind(missing_code="NoSuchWebsiteConfiguration"),
    "replication": _Kind(missing_code="ReplicationConfigurationNotFoundError"),
    "encryption": _Kind(missing_code="NoSuchEncryptionConfiguration"),
    "origin": _Kind(missing_code="OriginConfigurationNotFoundError"),
    "inventory": _Kind(missing_code="InventoryConfigurationNotFoundError"),
    "object-lock": _Kind(missing_code="NoSuchObjectLockConfiguration"),
    "logging": _Kind(empty_root="BucketLoggingStatus"),
    "referer": _Kind(empty_root="RefererConfiguration"),
    "accelerate": _Kind(empty_root="AccelerateConfiguration"),
    "domain": _Kind(empty_root="DomainConfiguration"),
    "intelligenttiering": _Kind(empty_root="IntelligentTieringConfiguration"),
}
KINDS = frozenset({"acl", *_KINDS})
"""The sub-resources handled here."""


async def document(exchange: Exchange) -> Response:
    """GET, PUT or DELETE of one document of a bucket or object."""
    (kind,) = exchange.operation.subresource
    name = f"{kind}:{exchange.parameter('id')}" if kind == "inventory" else kind
    match exchange.request.method:
        case "GET":
            return await _get(exchange, kind, name)
        case "PUT":
            return await _put(exchange, kind, name)
        case _:
            return await _delete(exchange, name)


async def _get(exchange: Exchange, kind: str, name: str) -> Response:
    def work(tables: Tables) -> bytes | None:
        bucket, key, version_id = _place(exchange, tables)
        return tables.documents.get(bucket, key, version_id, name)

    held = await exchange.store.transact(work)
    content_type = "application/json" if kind == "policy" else "application/xml"
    if held is None:
        held = _absent(exchange, kind)
    return Response(200, [("content-type", content_type)], held)


async def _put(exchange: Exchange, kind: str, name: str) -> Response:
    if exchange.operation.body is not Body.DOCUMENT:
        raise COSError("MethodNotAllowed")
    body = await exchange.body.document()
    canned = asked_acl(exchange) if kind == "acl" else None
    if body and canned is not None:
        raise COSError("UnexpectedContent", "Expected an ACL in the header or in the body, got both.")
    body = body or canned or b""
    if not body and kind != "acl":
        raise COSError("MissingRequestBodyError")
    if kind == "tagging":
        check_tagging(body, most=MAX_TAGS if exchange.address.key is not None else MAX_BUCKET_TAGS)

    def work(tables: Tables) -> None:
        bucket, key, version_id = _place(exchange, tables)
        # Grants may come in headers of their own, which are not kept.
        if body:
            tables.documents.put(bucket, key, version_id, name, body)

    await exchange.store.transact(work)
    put_status = _KINDS[kind].put_status if kind in _KINDS and exchange.address.key is None else 200
    return Response(put_status)


async def _delete(exchange: Exchange, name: str) -> Response:
    def work(tables: Tables) -> None:
        bucket, key, version_id = _place(exchange, tables)
        tables.documents.delete(bucket, key, version_id, name)

    await exchange.store.transact(work)
    return Response(204)


def _place(exchange: Exchange, tables: Tables) -> tuple[str, str, str]:
    """Bucket, key and version a document belongs to. Raises COSError(NoSuchKey, NoSuchVersion)."""
    bucket = exchange.require_bucket(tables)
    if exchange.address.key is None:
        return bucket.name, "", NULL_VERSION
    version_id = exchange.parameter("versionId")
    if version_id:
        version = tables.objects.version(bucket.name, exchange.key, version_id)
        if version is None:
            raise COSError("NoSuchVersion")
    else:
        version = tables.objects.current(bucket.name, exchange.key)
    if version is None or version.content is None:
        raise COSError("NoSuchKey")
    return bucket.name, version.key, version.version_id


def _absent(exchange: Exchange, kind: str) -> bytes:
    if kind == "acl":
        return canned_acl(exchange, "private")
    if kind == "tagging" and exchange.address.key is not None:
        # An object without tags has an empty set of them; only a bucket has none.
        return render_document(element("Tagging", element("TagSet")))
    if _KINDS[kind].missing_code:
        raise COSError(_KINDS[kind].missing_code)
    return render_document(element(_KINDS[kind].empty_root))
