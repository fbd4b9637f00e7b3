"""What a store refuses because of what was asked, not because it failed.

    RecordError
    ├── RecordNotFound     no such key, credential or token
    ├── RecordExists       the name is taken
    ├── InvalidRecord      a field does not hold what it must
    ├── RecordChanged      it is not any more what the asker saw
    ├── RecordConflict     its present state does not allow what was asked
    └── RequestMismatch    an idempotency key was used before, for something else

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


class RecordChanged(RecordError):
    """The record was changed since the asker saw it."""


class RecordConflict(RecordError):
    """The present state of the record does not allow what was asked."""


class RequestMismatch(RecordError):
    """An idempotency key was used before, for another request."""
