"""Object versions: the newest version of a key is its current one; a current delete marker hides the key."""

from __future__ import annotations

import sqlite3
from typing import Protocol

from emulator.store.model import Content, ObjectVersion
from emulator.store.schema import VERSION_COLUMNS, content_to_text, metadata_to_text, version_from_row


class BlobUses(Protocol):
    """The reference counts an object or upload table must keep right."""

    def use(self, content: Content) -> None: ...
    def drop(self, content: Content) -> None: ...


class ObjectTable:
    """Versions of objects, by bucket and key."""

    def __init__(self, connection: sqlite3.Connection, blobs: BlobUses) -> None:
        self._connection = connection
        self._blobs = blobs

    def current(self, bucket: str, key: str) -> ObjectVersion | None:
        """The newest version, delete marker or not."""
        return self._one("bucket = ? AND key = ? AND current", (bucket, key))

    def version(self, bucket: str, key: str, version_id: str) -> ObjectVersion | None:
        return self._one("bucket = ? AND key = ? AND version_id = ?", (bucket, key, version_id))

    def put(self, version: ObjectVersion) -> None:
        """Make a version the current one; a version with the same id is replaced."""
        self._remove(version.bucket, version.key, version.version_id)
        self._connection.execute(
            "UPDATE versions SET current = 0 WHERE bucket = ? AND key = ? AND current", (version.bucket, version.key)
        )
        self._connection.execute(
            "INSERT INTO versions (bucket, key, version_id, modified, content, metadata, kind, current)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
            (
                version.bucket,
                version.key,
                version.version_id,
                version.modified,
                None if version.content is None else content_to_text(version.content),
                metadata_to_text(version.metadata),
                version.kind.value,
            ),
        )
        if version.content is not None:
            self._blobs.use(version.content)

    def remove(self, bucket: str, key: str, version_id: str) -> ObjectVersion | None:
        """Remove one version for good and make the newest remaining one current; returns what was removed."""
        removed = self._remove(bucket, key, version_id)
        if removed is not None and removed.current:
            self._connection.execute(
                "UPDATE versions SET current = 1 WHERE sequence ="
                " (SELECT max(sequence) FROM versions WHERE bucket = ? AND key = ?)",
                (bucket, key),
            )
        return removed

    def page(self, bucket: str, *, prefix: str, after: str, limit: int, inclusive: bool = False) -> list[ObjectVersion]:
        """Current objects (no delete markers) whose key starts with `prefix` and is after `after`, in order."""
        comparison = ">=" if inclusive else ">"
        rows = self._connection.execute(
            f"SELECT {VERSION_COLUMNS} FROM versions"  # noqa: S608  # constants only
            f" WHERE bucket = ? AND key {comparison} ? AND key >= ? AND current AND content IS NOT NULL"
            " ORDER BY key LIMIT ?",
            (bucket, after, prefix, limit),
        )
        return _while_prefixed(rows.fetchall(), prefix)

    def version_page(
        self,
        bucket: str,
        *,
        prefix: str,
        after: str,
        limit: int,
        newer_than: int | None = None,
        inclusive: bool = False,
    ) -> list[ObjectVersion]:
        """Every version by key, newest first. `newer_than` also keeps the versions of `after` itself older than it."""
        older_of_same_key = newer_than if newer_than is not None else 0
        comparison = ">=" if inclusive else ">"
        rows = self._connection.execute(
            f"SELECT {VERSION_COLUMNS} FROM versions"  # noqa: S608  # constants only
            f" WHERE bucket = ? AND (key {comparison} ? OR (key = ? AND sequence < ?)) AND key >= ?"
            " ORDER BY key, sequence DESC LIMIT ?",
            (bucket, after, after, older_of_same_key, prefix, limit),
        )
        return _while_prefixed(rows.fetchall(), prefix)

    def any_in(self, bucket: str) -> bool:
        """Whether the bucket holds any version, delete markers included."""
        return (
            self._connection.execute("SELECT 1 FROM versions WHERE bucket = ? LIMIT 1", (bucket,)).fetchone()
            is not None
        )

    def _one(self, where: str, values: tuple[str, ...]) -> ObjectVersion | None:
        row = self._connection.execute(
            f"SELECT {VERSION_COLUMNS} FROM versions WHERE {where}",  # noqa: S608  # constants only
            values,
        ).fetchone()
        return None if row is None else version_from_row(row)

    def _remove(self, bucket: str, key: str, version_id: str) -> ObjectVersion | None:
        held = self.version(bucket, key, version_id)
        if held is None:
            return None
        self._connection.execute("DELETE FROM versions WHERE sequence = ?", (held.sequence,))
        self._connection.execute(
            "DELETE FROM documents WHERE bucket = ? AND key = ? AND version_id = ?", (bucket, key, version_id)
        )
        if held.content is not None:
            self._blobs.drop(held.content)
        return held


def _while_prefixed(rows: list[sqlite3.Row], prefix: str) -> list[ObjectVersion]:
    # Keys are ordered, so those with the prefix stand together at the start.
    versions = []
    for row in rows:
        if not row["key"].startswith(prefix):
            break
        versions.append(version_from_row(row))
    return versions
