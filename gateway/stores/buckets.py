"""The bucket registry as the configuration declares it."""

from __future__ import annotations

from collections.abc import Iterable

from cos.values import Bucket
from gateway.ports import BucketRecord
from gateway.stores.errors import RecordExists


class ConfiguredBuckets:
    """Implements `ports.Buckets` over a fixed list."""

    def __init__(self, records: Iterable[BucketRecord]) -> None:
        """Raises RecordExists when a bucket is declared twice."""
        self._records: dict[Bucket, BucketRecord] = {}
        for record in records:
            if record.name in self._records:
                raise RecordExists(f"The bucket {record.name!r} is declared twice.")
            self._records[record.name] = record

    def find(self, bucket: Bucket) -> BucketRecord | None:
        """The bucket of that name; None when the organisation does not own it."""
        return self._records.get(bucket)
