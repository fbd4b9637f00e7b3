"""The tables of a store inside one transaction.

The same code serves memory and disk: both keep their metadata in SQLite, one in a private in-memory
database and one in a file. `objects` and `uploads` have their own modules.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable

from emulator.store.model import BlobRecord, BucketRecord, Content
from emulator.store.object_table import ObjectTable
from emulator.store.schema import SCHEMA, bucket_from_row
from emulator.store.upload_table import UploadTable


class Tables:
    """Every table, over one SQLite connection that the caller has put into a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.blobs = BlobTable(connection)
        self.objects = ObjectTable(connection, self.blobs)
        self.uploads = UploadTable(connection, self.blobs)
        self.documents = DocumentTable(connection)

    def create(self) -> None:
        """Create the tables that do not exist."""
        self._connection.executescript(SCHEMA)

    def bucket(self, name: str) -> BucketRecord | None:
        row = self._connection.execute("SELECT * FROM buckets WHERE name = ?", (name,)).fetchone()
        return None if row is None else bucket_from_row(row)

    def buckets(self) -> list[BucketRecord]:
        """All buckets by name."""
        return [bucket_from_row(row) for row in self._connection.execute("SELECT * FROM buckets ORDER BY name")]

    def put_bucket(self, bucket: BucketRecord) -> None:
        """Insert or replace a bucket."""
        self._connection.execute(
            "INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?, ?, ?)",
            (
                bucket.name,
                bucket.region,
                bucket.account,
                bucket.created,
                bucket.versioning.value,
                json.dumps(bucket.shared_with),
            ),
        )

    def delete_bucket(self, name: str) -> None:
        """Delete an empty bucket and its documents."""
        self._connection.execute("DELETE FROM buckets WHERE name = ?", (name,))
        self._connection.execute("DELETE FROM documents WHERE bucket = ?", (name,))


class DocumentTable:
    """Bodies stored as they came: tagging, ACL, CORS, policy, … An empty key means the bucket itself."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, bucket: str, key: str, version_id: str, kind: str) -> bytes | None:
        row = self._connection.execute(
            "SELECT body FROM documents WHERE bucket = ? AND key = ? AND version_id = ? AND kind = ?",
            (bucket, key, version_id, kind),
        ).fetchone()
        return None if row is None else bytes(row["body"])

    def put(self, bucket: str, key: str, version_id: str, kind: str, body: bytes) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)", (bucket, key, version_id, kind, body)
        )

    def delete(self, bucket: str, key: str, version_id: str, kind: str) -> bool:
        """Whether there was one."""
        cursor = self._connection.execute(
            "DELETE FROM documents WHERE bucket = ? AND key = ? AND version_id = ? AND kind = ?",
            (bucket, key, version_id, kind),
        )
        return cursor.rowcount > 0


class BlobTable:
    """Digests of blobs and how many extents use them; unused blobs wait here for collection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, record: BlobRecord) -> None:
        """Register a sealed blob, not yet used."""
        self._connection.execute(
            "INSERT OR IGNORE INTO blobs VALUES (?, ?, ?, ?, 0)",
            (record.blob, record.size_bytes, record.md5, str(record.crc64)),
        )

    def get(self, blob: str) -> BlobRecord | None:
        row = self._connection.execute("SELECT * FROM blobs WHERE blob = ?", (blob,)).fetchone()
        return None if row is None else BlobRecord(row["blob"], row["size_bytes"], row["md5"], int(row["crc64"]))

    def use(self, content: Content) -> None:
        """Count one more use of each extent's blob."""
        self._count(content, 1)

    def drop(self, content: Content) -> None:
        """Count one use less of each extent's blob."""
        self._count(content, -1)

    def collect(self, keep: Counter[str]) -> list[str]:
        """Forget the blobs nobody uses, except those to `keep`; returns what may now be deleted."""
        rows = self._connection.execute("SELECT blob FROM blobs WHERE uses <= 0").fetchall()
        unused = [row["blob"] for row in rows if not keep[row["blob"]]]
        self._connection.executemany("DELETE FROM blobs WHERE blob = ?", [(blob,) for blob in unused])
        return unused

    def known(self) -> Iterable[str]:
        """Every registered blob."""
        return [row["blob"] for row in self._connection.execute("SELECT blob FROM blobs")]

    def _count(self, content: Content, change: int) -> None:
        counts = Counter(extent.blob for extent in content.extents)
        self._connection.executemany(
            "UPDATE blobs SET uses = uses + ? WHERE blob = ?",
            [(change * count, blob) for blob, count in counts.items()],
        )
