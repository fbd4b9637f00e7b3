"""The bucket registry: what is declared, and what was found by listing accounts.

What is declared always counts. What was found counts until a later listing of the same account succeeds without it; a
listing that failed changes nothing. A bucket of an account that was never listed successfully is neither known nor
unknown, and is refused as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from cos.values import Bucket, appid_of
from gateway.ports import BucketRecord, RegistryUnavailable
from gateway.stores.errors import RecordExists

_log = structlog.get_logger(__name__)


class BucketRegistry:
    """Implements `ports.Buckets`. `listed` are the names of the credentials whose accounts are to be listed."""

    def __init__(self, declared: Iterable[BucketRecord], *, listed: Sequence[str] = ()) -> None:
        """Raises RecordExists when a bucket is declared twice."""
        self._declared: dict[Bucket, BucketRecord] = {}
        for record in declared:
            if record.name in self._declared:
                raise RecordExists(f"The bucket {record.name!r} is declared twice.")
            self._declared[record.name] = record
        self._found: dict[str, dict[Bucket, BucketRecord] | None] = dict.fromkeys(listed)
        self._accounts: dict[str, str] = {}
        self._all = dict(self._declared)
        self.generation: object = self._all

    @property
    def unlisted(self) -> list[str]:
        """Credentials whose account was never listed successfully."""
        return [name for name, found in self._found.items() if found is None]

    def find(self, bucket: Bucket) -> BucketRecord | None:
        """The bucket of that name; None when the organisation does not own it.

        Raises RegistryUnavailable while that cannot be known.
        """
        record = self._all.get(bucket)
        if record is None and self._found:
            for name in self.unlisted:
                if self._accounts.get(name) in (None, appid_of(bucket)):
                    raise RegistryUnavailable(f"The account of credential {name!r} was not listed yet.")
        return record

    def records(self) -> list[BucketRecord]:
        """Every bucket, by name."""
        return sorted(self._all.values(), key=lambda record: record.name)

    def expect(self, credential: str, account: str) -> None:
        """Say which account a credential lists, before it did."""
        self._accounts[credential] = account

    def replace(self, credential: str, account: str, found: Iterable[BucketRecord]) -> None:
        """Take the buckets of a listing that succeeded, in place of those of the last one.

        A bucket whose name ends with another account's APPID is left out: a listing says nothing of others.
        """
        self._accounts[credential] = account
        buckets: dict[Bucket, BucketRecord] = {}
        for record in found:
            if appid_of(record.name) != account:
                _log.warning("bucket_of_another_account", bucket=record.name, credential=credential, account=account)
            else:
                buckets[record.name] = record
        before = self._found.get(credential)
        self._found[credential] = buckets
        self._merge()
        self._tell(credential, before, buckets)

    def _merge(self) -> None:
        merged: dict[Bucket, BucketRecord] = {}
        for found in self._found.values():
            for name, record in (found or {}).items():
                merged.setdefault(name, record)
        self.generation = self._all = {**merged, **self._declared}

    def _tell(
        self, credential: str, before: dict[Bucket, BucketRecord] | None, now: dict[Bucket, BucketRecord]
    ) -> None:
        known = before or {}
        new, gone = sorted(now.keys() - known.keys()), sorted(known.keys() - now.keys())
        if new or gone or before is None:
            _log.info("buckets_found", credential=credential, buckets=len(now), new=len(new), gone=gone[:20])
        for name, record in now.items():
            declared = self._declared.get(name)
            if declared is None or known.get(name) == record:
                continue
            if (declared.region, declared.account) != (record.region, record.account):
                _log.warning(
                    "bucket_declared_otherwise",
                    bucket=name,
                    declared_region=declared.region,
                    declared_account=declared.account,
                    found_region=record.region,
                    found_account=record.account,
                )
