"""Multipart uploads and their parts."""

from __future__ import annotations

import sqlite3

from emulator.store.model import Part, Upload
from emulator.store.object_table import BlobUses
from emulator.store.schema import content_to_text, metadata_to_text, part_from_row, upload_from_row


class UploadTable:
    """Uploads in progress, by upload ID, each with its parts by number."""

    def __init__(self, connection: sqlite3.Connection, blobs: BlobUses) -> None:
        self._connection = connection
        self._blobs = blobs

    def get(self, upload_id: str) -> Upload | None:
        row = self._connection.execute("SELECT * FROM uploads WHERE upload_id = ?", (upload_id,)).fetchone()
        return None if row is None else upload_from_row(row)

    def add(self, upload: Upload) -> None:
        self._connection.execute(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)",
            (upload.upload_id, upload.bucket, upload.key, upload.initiated, metadata_to_text(upload.metadata)),
        )

    def remove(self, upload_id: str) -> None:
        """Forget an upload and its parts."""
        for part in self.parts(upload_id):
            self._blobs.drop(part.content)
        self._connection.execute("DELETE FROM parts WHERE upload_id = ?", (upload_id,))
        self._connection.execute("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))

    def put_part(self, part: Part) -> None:
        """Add a part; one with the same number is replaced."""
        row = self._connection.execute(
            "SELECT * FROM parts WHERE upload_id = ? AND number = ?", (part.upload_id, part.number)
        ).fetchone()
        if row is not None:
            self._blobs.drop(part_from_row(row).content)
        self._connection.execute(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)",
            (part.upload_id, part.number, part.modified, content_to_text(part.content)),
        )
        self._blobs.use(part.content)

    def parts(self, upload_id: str, *, after: int = 0, limit: int = -1) -> list[Part]:
        """Parts in order of number, those above `after`; a negative limit means all."""
        rows = self._connection.execute(
            "SELECT * FROM parts WHERE upload_id = ? AND number > ? ORDER BY number LIMIT ?", (upload_id, after, limit)
        )
        return [part_from_row(row) for row in rows]

    def page(
        self,
        bucket: str,
        *,
        prefix: str,
        after: str,
        limit: int,
        after_upload_id: str | None = None,
        inclusive: bool = False,
    ) -> list[Upload]:
        """Uploads by key, then upload ID, after a key; `after_upload_id` also keeps later uploads of that key."""
        comparison = ">=" if inclusive else ">"
        same_key = "\U0010ffff" if after_upload_id is None else after_upload_id
        rows = self._connection.execute(
            "SELECT * FROM uploads"  # noqa: S608  # constants only
            f" WHERE bucket = ? AND (key {comparison} ? OR (key = ? AND upload_id > ?)) AND key >= ?"
            " ORDER BY key, upload_id LIMIT ?",
            (bucket, after, after, same_key, prefix, limit),
        )
        uploads = []
        for row in rows:
            if not row["key"].startswith(prefix):
                break
            uploads.append(upload_from_row(row))
        return uploads

    def any_in(self, bucket: str) -> bool:
        """Whether the bucket has an upload in progress."""
        return (
            self._connection.execute("SELECT 1 FROM uploads WHERE bucket = ? LIMIT 1", (bucket,)).fetchone() is not None
        )
