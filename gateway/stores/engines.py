"""What a database is reached by: the one thing that an adapter of a store has to make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, slots=True)
class Engines:
    """A transaction of `readers` sees one state of the store; those of `writers` that raise the counter queue.

    `place` names the store in errors, and `cause` says what went wrong; neither ever holds a secret or a value of a
    record. `errors` are what the driver raises.
    """

    place: str
    readers: AsyncEngine
    writers: AsyncEngine
    cause: Callable[[Exception], str]
    errors: tuple[type[Exception], ...] = (SQLAlchemyError,)
