"""The service and buckets: list, create, look at, delete, location, versioning.

Source: COS API, "GET Service", "PUT Bucket", "HEAD Bucket", "DELETE Bucket", "GET Bucket location",
"PUT Bucket versioning"; reference page §4.
"""

from __future__ import annotations

from dataclasses import replace

from cos.errors import COSError
from cos.values import appid_of, parse_bucket
from cos.xml import Element, element, parse_xml
from emulator.acl import asked_acl
from emulator.body import MAX_DOCUMENT_BYTES
from emulator.dates import copy_date
from emulator.exchange import Exchange, Response
from emulator.rendering import boolean_element, owner_element, read_count
from emulator.store.model import NULL_VERSION, BucketRecord, Versioning
from emulator.store.tables import Tables

MAX_BUCKETS_LISTED = 2000
DEFAULT_REGION = "ap-guangzhou"
"""Where a bucket is created when the request's host names no region."""


async def get_service(exchange: Exchange) -> Response:
    """The caller's buckets; on a region's service host only those of the region."""
    if exchange.caller is None:
        raise COSError("AccessDenied")
    appid = exchange.caller.account.appid
    region = exchange.address.region or exchange.parameter("region") or None
    marker = exchange.parameter("marker")
    limit = min(read_count(exchange, "max-keys", default=MAX_BUCKETS_LISTED), MAX_BUCKETS_LISTED)
    buckets = [
        bucket
        for bucket in await exchange.store.transact(lambda tables: tables.buckets())
        if bucket.account == appid and (region is None or bucket.region == region) and bucket.name > marker
    ]
    shown = buckets[:limit]
    truncated = len(buckets) > limit
    root = element(
        "ListAllMyBucketsResult",
        owner_element(exchange, "Owner"),
        # Present even when empty: the Python SDK fails without it.
        element("Buckets", *(_bucket_element(bucket) for bucket in shown)),
        element("Marker", marker),
        element("NextMarker", shown[-1].name if truncated and shown else ""),
        boolean_element("IsTruncated", truncated),
    )
    return exchange.xml(root)


async def put_bucket(exchange: Exchange) -> Response:
    """Create a bucket of the caller's account in the region its host names."""
    await exchange.body.document()
    if exchange.caller is None:
        raise COSError("AccessDenied")
    account = exchange.caller.account
    name = parse_bucket(exchange.bucket_name)
    acl = asked_acl(exchange)
    if appid_of(name) != account.appid:
        raise COSError("AccessDenied", f"Expected a bucket name that ends with the APPID {account.appid}.")

    def work(tables: Tables) -> None:
        if tables.bucket(name) is not None:
            # The name carries the account's APPID, so whoever made it is the caller.
            raise COSError("BucketAlreadyOwnedByYou")
        if acl is not None:
            tables.documents.put(name, "", NULL_VERSION, "acl", acl)
        region = exchange.address.region or DEFAULT_REGION
        tables.put_bucket(BucketRecord(name, region, account.appid, exchange.now))

    await exchange.store.transact(work)
    return Response(200, [("location", f"/{name}")])


async def head_bucket(exchange: Exchange) -> Response:
    """Whether the bucket exists and the caller may use it; its region in a header."""
    bucket = await exchange.store.transact(exchange.require_bucket)
    return Response(200, [(exchange.named("bucket-region"), bucket.region)])


async def delete_bucket(exchange: Exchange) -> Response:
    """Delete an empty bucket: no version, no delete marker, no upload in progress."""

    def work(tables: Tables) -> None:
        bucket = exchange.require_bucket(tables)
        if tables.objects.any_in(bucket.name) or tables.uploads.any_in(bucket.name):
            raise COSError("BucketNotEmpty")
        tables.delete_bucket(bucket.name)

    await exchange.store.transact(work)
    return Response(204)


async def get_bucket_location(exchange: Exchange) -> Response:
    """The bucket's region."""
    bucket = await exchange.store.transact(exchange.require_bucket)
    return exchange.xml(element("LocationConstraint", bucket.region))


async def get_bucket_versioning(exchange: Exchange) -> Response:
    """`Enabled`, `Suspended`, or an empty configuration when versioning was never on."""
    bucket = await exchange.store.transact(exchange.require_bucket)
    status = [element("Status", bucket.versioning.value)] if bucket.versioning is not Versioning.OFF else []
    return exchange.xml(element("VersioningConfiguration", *status))


async def put_bucket_versioning(exchange: Exchange) -> Response:
    """Enable or suspend versioning. Raises COSError(MalformedXML) for anything else."""
    root = parse_xml(await exchange.body.document(), max_bytes=MAX_DOCUMENT_BYTES)
    status = root.text_of("Status").strip()
    if root.tag != "VersioningConfiguration" or status not in (Versioning.ENABLED, Versioning.SUSPENDED):
        raise COSError("MalformedXML", "Expected VersioningConfiguration with the Status Enabled or Suspended.")

    def work(tables: Tables) -> None:
        tables.put_bucket(replace(exchange.require_bucket(tables), versioning=Versioning(status)))

    await exchange.store.transact(work)
    return Response(200)


def _bucket_element(bucket: BucketRecord) -> Element:
    return element(
        "Bucket",
        element("Name", bucket.name),
        element("Location", bucket.region),
        element("CreationDate", copy_date(bucket.created)),
        element("BucketType", "cos"),
    )
