"""Refusals of the admin API: `application/problem+json`, one closed list of kinds.

Source: RFC 9457.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from gateway.ports import AuditUnavailable, PortError, Sealed
from gateway.stores.errors import (
    InvalidRecord,
    RecordChanged,
    RecordConflict,
    RecordError,
    RecordExists,
    RecordNotFound,
    RequestMismatch,
)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:cos-gateway:problem:"


class Kind(Enum):
    """Every kind of refusal: its name, its status and its title."""

    INVALID_REQUEST = ("invalid-request", 400, "The request cannot be read")
    UNAUTHENTICATED = ("unauthenticated", 401, "A valid admin token is needed")
    FORBIDDEN = ("forbidden", 403, "Not allowed")
    NOT_FOUND = ("not-found", 404, "There is no such thing")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "The method is not for this path")
    TIMEOUT = ("timeout", 408, "The request did not arrive in time")
    CONFLICT = ("conflict", 409, "The present state does not allow it")
    CHANGED = ("changed", 412, "It was changed since it was read")
    TOO_LARGE = ("too-large", 413, "The body is too large")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", 415, "The body must be JSON")
    MISDIRECTED = ("misdirected", 421, "This is not the host's name")
    INVALID = ("invalid", 422, "A value is not what it must be")
    IDEMPOTENCY_MISMATCH = ("idempotency-mismatch", 422, "The idempotency key was used for another request")
    PRECONDITION_REQUIRED = ("precondition-required", 428, "If-Match is needed")
    TOO_MANY_FAILURES = ("too-many-failures", 429, "Too many failed tokens")
    INTERNAL = ("internal", 500, "Something went wrong here")
    UNAVAILABLE = ("unavailable", 503, "It cannot be done now")

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title


class FieldError(BaseModel):
    """One thing that is wrong at one place."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    field: str
    """Path of the member, such as `networks.0`; of a policy document its file, line and key."""
    message: str


class Problem(BaseModel):
    """Why a request was refused."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    """`urn:cos-gateway:problem:` and the kind."""
    title: str
    status: int
    detail: str
    instance: str
    """Path of the request."""
    request_id: str
    """Finds the request in the audit log."""
    errors: list[FieldError] = Field(default_factory=list)


class Refused(Exception):
    """A request is refused; says how. Never holds a secret."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def as_refusal(error: RecordError | PortError) -> Refused:
    """What an error of the service layer is on the wire."""
    match error:
        case RecordNotFound():
            return Refused(Kind.NOT_FOUND, str(error))
        case RecordExists() | RecordConflict():
            return Refused(Kind.CONFLICT, str(error))
        case RecordChanged():
            return Refused(Kind.CHANGED, str(error))
        case RequestMismatch():
            return Refused(Kind.IDEMPOTENCY_MISMATCH, str(error))
        case InvalidRecord():
            return Refused(Kind.INVALID, str(error))
        case Sealed():
            return Refused(Kind.UNAVAILABLE, "The gateway is sealed: its master key has not been provided.")
        case AuditUnavailable():
            return Refused(Kind.UNAVAILABLE, "The audit log cannot be written; nothing was changed.")
        case PortError():
            return Refused(Kind.UNAVAILABLE, "The store cannot be used now; nothing was changed.")
    return Refused(Kind.INVALID, str(error))


def field_errors(invalid: ValidationError) -> list[FieldError]:
    """Where and what, without what was found there: it may be a secret."""
    return [
        FieldError(field=".".join(map(str, error["loc"])), message=error["msg"])
        for error in invalid.errors(include_url=False, include_input=False, include_context=False)
    ]


def problem_response(refused: Refused, *, path: str, request_id: str) -> Response:
    """The answer to a refused request."""
    problem = Problem(
        type=TYPE_PREFIX + refused.kind.slug,
        title=refused.kind.title,
        status=refused.kind.status,
        detail=refused.detail,
        instance=path,
        request_id=request_id,
        errors=refused.errors,
    )
    content = problem.model_dump_json(exclude={"errors"} if not refused.errors else None)
    return Response(content, refused.kind.status, headers=refused.headers, media_type=MEDIA_TYPE)
