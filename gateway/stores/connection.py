"""What the tables and a database say to each other: SQL that both kinds of database understand, rows, counts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class ConstraintViolated(Exception):
    """The database refuses a row because of the rows that are there."""


class Row(Protocol):
    """One row of a result; its columns by name or place."""

    def __getitem__(self, column: str | int, /) -> Any: ...


class Connection(Protocol):
    """One transaction. A statement names its values `:like_this`; they are never part of its text.

    Every method raises ConstraintViolated, and what the driver raises.
    """

    async def fetch(self, statement: str, **values: object) -> list[Row]:
        """Every row of the result."""
        ...

    async def execute(self, statement: str, **values: object) -> int:
        """How many rows were inserted, changed or removed."""
        ...

    async def has_table(self, name: str) -> bool:
        """Whether the database has such a table."""
        ...

    def portions(self, statement: str, rows: int) -> AsyncGenerator[list[Row], None]:
        """The rows of a long result, at most so many at a time: between two of them others get their turn.

        The caller closes it (`contextlib.aclosing`).
        """
        ...


class Backend(Protocol):
    """The way to a database: the one thing that an adapter of a store has to make.

    A transaction that reads sees one state of the store; those that write and raise the counter queue. `place` names
    the store in errors, and `cause` says what went wrong; neither ever holds a secret or a value of a record. `errors`
    are what the driver raises.
    """

    place: str
    errors: tuple[type[Exception], ...]
    types: Mapping[str, str]
    """What column types are called that have no name in common: `binary`, and `serial` for a number it gives itself."""

    def cause(self, error: Exception) -> str:
        """What went wrong, for people."""
        ...

    def transaction(self, *, writes: bool) -> AbstractAsyncContextManager[Connection]:
        """A transaction, committed when the block ends, undone by an exception."""
        ...

    async def lock_schema(self, connection: Connection) -> None:
        """Of several that bring up the schema at once only one goes on; the others wait until it ended."""
        ...

    async def migrate(self) -> None:
        """Bring up a schema of an earlier release, step by step. Raises StoreUnavailable, and what `errors` lists."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
