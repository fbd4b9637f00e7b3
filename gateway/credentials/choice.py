"""Which credential opens a bucket, and which one can copy from one bucket into another.

For a bucket, the first that says something decides:

1. the credential the bucket names,
2. the first assignment that fits the bucket and its region,
3. the only credential of the bucket's account,
4. if that account has none, the only credential that reaches into it.

A copy is signed by one credential, which must write the destination and read the source. The destination's is taken
when it can; else the only one that can do both. Two that fit equally are refused rather than guessed between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cos.values import Region
from gateway.ports import BucketRecord, CredentialUnavailable, NoCredentialForBoth
from policies.patterns import Pattern

DEFAULT_NAME = "default"
"""The credential for requests that name no bucket, when there are several."""


class Candidate(Protocol):
    """A credential that may be chosen."""

    @property
    def name(self) -> str: ...
    @property
    def account(self) -> str: ...


C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A credential for the buckets that fit any of the patterns; no region means any."""

    credential: str
    buckets: tuple[Pattern, ...]
    regions: frozenset[Region] = frozenset()

    def fits(self, bucket: BucketRecord) -> bool:
        """Whether the credential is for that bucket."""
        if self.regions and bucket.region not in self.regions:
            return False
        return any(pattern.matches(bucket.name) for pattern in self.buckets)


@dataclass(frozen=True, slots=True)
class Reach:
    """Accounts besides its own in which a credential may read and write."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()


_NO_REACH = Reach()


class Choice:
    """Chooses among candidates by what the operator has declared. Immutable; knows no secret."""

    def __init__(self, assignments: Iterable[Assignment] = (), reaches: Mapping[str, Reach] | None = None) -> None:
        """`reaches` are by the credential's name."""
        self._assignments = tuple(assignments)
        self._reaches = dict(reaches or {})

    def for_service(self, candidates: Sequence[C]) -> C:
        """For requests without a bucket: the only candidate, else the one named `default`."""
        fitting = list(candidates)
        if len(fitting) > 1:
            fitting = _named(candidates, DEFAULT_NAME)
        return _only(fitting, f"requests without a bucket (the only credential, or the one named {DEFAULT_NAME!r})")

    def for_bucket(self, bucket: BucketRecord, candidates: Sequence[C]) -> C:
        """Raises CredentialUnavailable, naming what was looked for."""
        name = self._name_for(bucket)
        if name is not None:
            wanted = f"bucket {bucket.name!r} of account {bucket.account!r}, named {name!r}"
            return _only(_named(candidates, name), wanted)
        fitting = [candidate for candidate in candidates if candidate.account == bucket.account]
        if not fitting:
            fitting = [candidate for candidate in candidates if self._reaches_into(candidate, bucket.account)]
        return _only(fitting, f"account {bucket.account!r}")

    def for_copy(self, bucket: BucketRecord, source: BucketRecord, candidates: Sequence[C]) -> C:
        """For a copy from `source` into `bucket`. Raises NoCredentialForBoth, CredentialUnavailable."""
        if bucket.account == source.account:
            return self.for_bucket(bucket, candidates)
        try:
            usual = self.for_bucket(bucket, candidates)
        except CredentialUnavailable:
            usual = None
        if usual is not None and self._can_read(usual, source):
            return usual
        fitting = [
            candidate
            for candidate in candidates
            if self._can_write(candidate, bucket) and self._can_read(candidate, source)
        ]
        if len(fitting) == 1:
            return fitting[0]
        names = sorted(candidate.name for candidate in fitting)
        raise NoCredentialForBoth(
            f"Expected one credential that can read {source.name!r} of account {source.account!r} and write "
            f"{bucket.name!r} of account {bucket.account!r}, got {names or 'none'}; "
            "cross_account says which credentials reach into other accounts."
        )

    def buckets_of(self, name: str, buckets: Iterable[BucketRecord], candidates: Sequence[C]) -> list[BucketRecord]:
        """Those of the buckets that the credential of that name opens."""
        chosen = []
        for bucket in buckets:
            with suppress(CredentialUnavailable):
                if self.for_bucket(bucket, candidates).name == name:
                    chosen.append(bucket)
        return chosen

    def _name_for(self, bucket: BucketRecord) -> str | None:
        if bucket.credential is not None:
            return bucket.credential
        return next((assigned.credential for assigned in self._assignments if assigned.fits(bucket)), None)

    def _can_read(self, candidate: Candidate, bucket: BucketRecord) -> bool:
        reach = self._reaches.get(candidate.name, _NO_REACH)
        return bucket.account in reach.reads or self._is_for(candidate, bucket)

    def _can_write(self, candidate: Candidate, bucket: BucketRecord) -> bool:
        reach = self._reaches.get(candidate.name, _NO_REACH)
        return bucket.account in reach.writes or self._is_for(candidate, bucket)

    def _is_for(self, candidate: Candidate, bucket: BucketRecord) -> bool:
        """Whether the credential is of the bucket's account, or was named for the bucket."""
        return candidate.account == bucket.account or self._name_for(bucket) == candidate.name

    def _reaches_into(self, candidate: Candidate, account: str) -> bool:
        reach = self._reaches.get(candidate.name, _NO_REACH)
        return account in reach.reads or account in reach.writes


def _named(candidates: Iterable[C], name: str) -> list[C]:
    return [candidate for candidate in candidates if candidate.name == name]


def _only(fitting: Sequence[C], wanted: str) -> C:
    if len(fitting) != 1:
        names = sorted(candidate.name for candidate in fitting)
        raise CredentialUnavailable(f"Expected one active credential for {wanted}, got {names or 'none'}.")
    return fitting[0]
