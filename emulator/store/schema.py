"""The SQLite schema of the store, and records ⇄ rows.

Text compares bytewise in SQLite, which is the order COS lists keys in (UTF-8). CRCs are unsigned 64-bit and
SQLite's integers are signed, so they are kept as decimal text.
"""

from __future__ import annotations

import json
import sqlite3

from emulator.store.model import (
    BucketRecord,
    Content,
    Extent,
    Metadata,
    ObjectKind,
    ObjectVersion,
    Part,
    Upload,
    Versioning,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, region TEXT NOT NULL, account TEXT NOT NULL, created REAL NOT NULL,
    versioning TEXT NOT NULL, shared_with TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    bucket TEXT NOT NULL, key TEXT NOT NULL, version_id TEXT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (bucket, key, version_id, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, key TEXT NOT NULL, version_id TEXT NOT NULL,
    modified REAL NOT NULL, content TEXT, metadata TEXT NOT NULL, kind TEXT NOT NULL, current INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS version_by_id ON versions (bucket, key, version_id);
CREATE INDEX IF NOT EXISTS version_by_age ON versions (bucket, key, sequence DESC);
CREATE UNIQUE INDEX IF NOT EXISTS current_version ON versions (bucket, key) WHERE current;
CREATE TABLE IF NOT EXISTS uploads (
    upload_id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, initiated REAL NOT NULL, metadata TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS upload_by_key ON uploads (bucket, key, upload_id);
CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL, number INTEGER NOT NULL, modified REAL NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (upload_id, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blobs (
    blob TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, md5 TEXT NOT NULL, crc64 TEXT NOT NULL, uses INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unused_blobs ON blobs (uses) WHERE uses <= 0;
"""

VERSION_COLUMNS = "sequence, bucket, key, version_id, modified, content, metadata, kind, current"


def bucket_from_row(row: sqlite3.Row) -> BucketRecord:
    return BucketRecord(
        name=row["name"],
        region=row["region"],
        account=row["account"],
        created=row["created"],
        versioning=Versioning(row["versioning"]),
        shared_with=tuple(json.loads(row["shared_with"])),
    )


def version_from_row(row: sqlite3.Row) -> ObjectVersion:
    return ObjectVersion(
        bucket=row["bucket"],
        key=row["key"],
        version_id=row["version_id"],
        modified=row["modified"],
        content=None if row["content"] is None else content_from_text(row["content"]),
        metadata=metadata_from_text(row["metadata"]),
        kind=ObjectKind(row["kind"]),
        sequence=row["sequence"],
        current=bool(row["current"]),
    )


def upload_from_row(row: sqlite3.Row) -> Upload:
    return Upload(
        upload_id=row["upload_id"],
        bucket=row["bucket"],
        key=row["key"],
        initiated=row["initiated"],
        metadata=metadata_from_text(row["metadata"]),
    )


def part_from_row(row: sqlite3.Row) -> Part:
    return Part(row["upload_id"], row["number"], row["modified"], content_from_text(row["content"]))


def content_to_text(content: Content) -> str:
    extents = [[extent.blob, extent.offset, extent.length] for extent in content.extents]
    fields = [extents, content.size_bytes, content.etag, content.crc64, content.part_bytes]
    return json.dumps(fields, separators=(",", ":"))


def content_from_text(text: str) -> Content:
    # Stores of earlier releases do not know the sizes of parts.
    extents, size_bytes, etag, crc64, *part_bytes = json.loads(text)
    sizes = tuple(part_bytes[0]) if part_bytes else ()
    return Content(tuple(Extent(*extent) for extent in extents), size_bytes, etag, crc64, sizes)


def metadata_to_text(metadata: Metadata) -> str:
    fields = [metadata.headers, metadata.storage_class, metadata.encryption, metadata.customer_key_md5]
    return json.dumps(fields, separators=(",", ":"))


def metadata_from_text(text: str) -> Metadata:
    # Stores of earlier releases do not know of customers' keys.
    headers, storage_class, encryption, *customer = json.loads(text)
    return Metadata(
        headers=tuple((name, value) for name, value in headers),
        storage_class=storage_class,
        encryption=encryption,
        customer_key_md5=customer[0] if customer else "",
    )
