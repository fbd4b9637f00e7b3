"""What an operation of the admin API is: one row of the table that routes, checks, documents and tests it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.credentials.changes import Outcome, Terms
from gateway.credentials.views import View
from gateway.stores.admin_tokens import AdminTokenRecord, Role

_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII
)  # fmt: skip


class Input(BaseModel):
    """What all inputs share: exact types, nothing unknown, and no value in an error."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


class NoBody(Input):
    """The operation takes no body."""


class NoQuery(Input):
    """The operation takes no query parameters."""


class ChangeQuery(Input):
    """Of every operation that changes something."""

    dry_run: bool = False
    """Check everything and answer what would change; change nothing."""


def _date_time(value: object) -> datetime:
    # Not pydantic's own: it also takes numbers in quotes for times.
    if isinstance(value, str) and _DATE_TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError:
            pass
    raise PydanticCustomError("date_time", "Input should be a time with its zone, such as 2030-01-01T00:00:00Z")


Moment = Annotated[
    datetime,
    PlainValidator(_date_time),
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time with its zone, as RFC 3339 writes it."""


class WouldChange(View):
    """What a dry run answers: nothing was changed."""

    dry_run: bool = True
    before: dict[str, Any] | None
    """Null: it would be created."""
    after: dict[str, Any] | None
    """Null: it would be removed."""


Q = TypeVar("Q", bound=BaseModel)
B = TypeVar("B", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request that was let in and read. `actor` is None only for operations that are open to all."""

    actor: AdminTokenRecord
    terms: Terms
    path: Mapping[str, str]
    query: Q
    body: B


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; None as body sends none."""

    status: int
    body: BaseModel | None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Q, B]):
    """One method on one path. `path` is relative to `/api/v1`, with starlette's `{name}` parameters."""

    method: str
    path: str
    name: str
    summary: str
    role: Role
    """The least role that may call it."""
    query: type[Q]
    body: type[B]
    status: int
    answer: type[BaseModel] | None
    handle: Callable[[Call[Q, B]], Awaitable[Reply]]
    needs_if_match: bool = False
    creates: bool = False
    """Takes an Idempotency-Key."""

    @property
    def takes_body(self) -> bool:
        return self.body is not NoBody

    @property
    def changes(self) -> bool:
        return issubclass(self.query, ChangeQuery)


def tagged(view: BaseModel, etag: str, status: int = 200, **headers: str) -> Reply:
    """An answer that carries the tag of what it shows."""
    return Reply(status, view, {"ETag": f'"{etag}"', **headers})


def would_change(outcome: Outcome[Any]) -> Reply:
    """The answer to a dry run. What only a real creation settles is left out."""
    unsettled = {"id", "etag", "created_at"} if outcome.before is None else {"etag"}
    return Reply(
        200,
        WouldChange(
            before=outcome.before.model_dump(mode="json") if outcome.before is not None else None,
            after=outcome.after.model_dump(mode="json", exclude=unsettled) if outcome.after is not None else None,
        ),
    )


def replay_headers(outcome: Outcome[Any]) -> dict[str, str]:
    """Says that a creation was recognised as one that was done before."""
    return {"Idempotency-Replayed": "true"} if outcome.replayed else {}
