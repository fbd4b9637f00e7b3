"""What a store refuses because of what was asked, not because it failed.

    RecordError
    ├── RecordNotFound   no such key or credential
    ├── RecordExists     the name is taken
    └── InvalidRecord    a field does not hold what it must

A store that cannot do its work raises `gateway.ports.StoreUnavailable` instead.
"""

from __future__ import annotations


class RecordError(Exception):
    """A request that the store refuses. Messages never hold a secret."""


class RecordNotFound(RecordError):
    """There is no such record."""


class RecordExists(RecordError):
    """A record of that name exists already."""


class InvalidRecord(RecordError):
    """A field of the record does not hold what it must."""
