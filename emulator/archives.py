"""Archived objects: they must be restored before they can be read or copied.

Source: COS API, "POST Object restore"; InvalidObjectState in the list of error codes. The emulator restores at
once: what a client sees after waiting is what it sees right away.
"""

from __future__ import annotations

from cos.errors import COSError
from emulator.exchange import Exchange, Response
from emulator.reading import find_version
from emulator.store.model import ObjectVersion
from emulator.store.tables import Tables

ARCHIVED = frozenset({"ARCHIVE", "DEEP_ARCHIVE"})


def refuse_archived(version: ObjectVersion) -> None:
    """Raises COSError(InvalidObjectState) for an object in an archive class."""
    if version.metadata.storage_class in ARCHIVED:
        raise COSError("InvalidObjectState")


async def post_object_restore(exchange: Exchange) -> Response:
    """Restore an archived version; 202, as for a restoration that takes time."""
    document = await exchange.body.document()

    def work(tables: Tables) -> None:
        bucket = exchange.require_bucket(tables)
        version = find_version(tables, bucket.name, exchange.key, exchange.parameter("versionId") or None)
        if version.content is None:
            raise COSError("NoSuchKey")
        if version.metadata.storage_class not in ARCHIVED:
            raise COSError("MethodNotAllowed", "Expected an object in an archive storage class.")
        tables.documents.put(bucket.name, version.key, version.version_id, "restore", document)

    await exchange.store.transact(work)
    return Response(202)
