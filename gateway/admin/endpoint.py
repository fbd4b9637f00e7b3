"""One request of the admin API, top to bottom: every operation takes this walk, none can leave a step out."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.admin.guard import FailedTokens, check_host, check_origin
from gateway.admin.operations import Call, Operation, Reply
from gateway.admin.problems import Kind, Refused, as_refusal, field_errors, problem_response
from gateway.credentials.changes import Author, Idempotency, Terms, described_author
from gateway.credentials.token_administration import TokenAdministration
from gateway.identifiers import new_request_id
from gateway.ports import AuditLog, PortError
from gateway.stores.admin_tokens import AdminTokenRecord, Role
from gateway.stores.errors import RecordError

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0
"""How long a body may take to arrive."""

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"', re.ASCII)
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_RANK = {role: rank for rank, role in enumerate(Role)}


class Endpoint:
    """Answers requests for operations. Holds what all of them need: tokens, failures, the audit log."""

    def __init__(self, tokens: TokenAdministration, audit: AuditLog, *, hosts: Iterable[str]) -> None:
        self._tokens = tokens
        self._audit = audit
        self._hosts = frozenset(host.lower() for host in hosts)
        self._failures = FailedTokens()

    async def answer(self, operation: Operation[Any, Any], request: Request) -> Response:
        """The answer to one request."""
        request_id = new_request_id()
        try:
            reply = await self._handle(operation, request, request_id)
            content = reply.body.model_dump_json() if reply.body is not None else b""
            media_type = "application/json" if reply.body is not None else None
            response = Response(content, reply.status, headers=dict(reply.headers), media_type=media_type)
        except (RecordError, PortError) as error:
            response = self._refuse(as_refusal(error), request, request_id)
        except Refused as refused:
            response = self._refuse(refused, request, request_id)
        return finished(response, request_id)

    def check_place(self, request: Request) -> None:
        """Raises Refused unless the request is for this host, and not from another's page."""
        host = _single(request, "host") or ""
        check_host(host, self._hosts)
        check_origin(_single(request, "origin"), host)

    async def _handle(self, operation: Operation[Any, Any], request: Request, request_id: str) -> Reply:
        # 1. Where it was sent, and from which page.
        self.check_place(request)
        # 2. Whose token it carries.
        actor = await self._authenticate(request, request_id)
        # 3. Whether that role may.
        if _RANK[actor.role] < _RANK[operation.role]:
            author = _author(actor, request, request_id)
            self._note_refusal(request, "forbidden", described_author(author))
            detail = f"This needs the role {operation.role}; the token has the role {actor.role}."
            raise Refused(Kind.FORBIDDEN, detail)
        # 4. What is asked.
        query = _query(operation, request)
        if_match = _if_match(operation, request)
        key = _idempotency_key(operation, request)
        raw = await _raw_body(operation, request)
        body = _body(operation, raw)
        asked = _asked(operation, request, raw) if key is not None else b""
        terms = Terms(
            author=_author(actor, request, request_id),
            dry_run=bool(getattr(query, "dry_run", False)),
            if_match=if_match,
            idempotency=Idempotency(actor.id, key, asked) if key is not None else None,
        )
        # 5. Doing it.
        return await operation.handle(Call(actor, terms, request.path_params, query, body))

    async def _authenticate(self, request: Request, request_id: str) -> AdminTokenRecord:
        address = _address(request)
        self._failures.check(address)
        scheme, _, token = (_single(request, "authorization") or "").partition(" ")
        actor = await self._tokens.find(token.strip()) if scheme.lower() == "bearer" else None
        if actor is None:
            # A request without a token guesses nothing, and must not fill the audit log.
            if token:
                self._failures.note(address)
                self._note_refusal(request, "unauthenticated", {"client": address, "request_id": request_id})
            detail = "Expected `Authorization: Bearer` and an admin token that is valid."
            raise Refused(Kind.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": 'Bearer realm="cos-gateway"'})
        return actor

    def _note_refusal(self, request: Request, reason: str, who: dict[str, Any]) -> None:
        event = {"type": "admin_refused", "reason": reason, "method": request.method, "path": request.url.path[:256]}
        self._audit.note({**event, **who})

    def _refuse(self, refused: Refused, request: Request, request_id: str) -> Response:
        return problem_response(refused, path=request.url.path, request_id=request_id)


def finished(response: Response, request_id: str) -> Response:
    """What every answer of the API carries."""
    response.headers.update({**_HEADERS, "X-Request-Id": request_id})
    return response


def _author(actor: AdminTokenRecord, request: Request, request_id: str) -> Author:
    return Author(actor.name, token_id=actor.id, client=_address(request), request_id=request_id)


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


def _single(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise Refused(Kind.INVALID_REQUEST, f"Expected one {name} header, got {len(values)}.")
    return values[0] if values else None


def _query(operation: Operation[Any, Any], request: Request) -> BaseModel:
    pairs = request.query_params.multi_items()
    names = [name for name, _ in pairs]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise Refused(Kind.INVALID_REQUEST, f"Expected each query parameter once, got {sorted(repeated)} again.")
    try:
        query: BaseModel = operation.query.model_validate_strings(dict(pairs))
    except ValidationError as invalid:
        detail = "A query parameter is unknown or not what it must be."
        raise Refused(Kind.INVALID_REQUEST, detail, errors=field_errors(invalid)) from None
    return query


def _if_match(operation: Operation[Any, Any], request: Request) -> frozenset[str] | None:
    """The tags the record may bear; None: any. Raises Refused."""
    text = _single(request, "if-match")
    if text is None:
        if operation.needs_if_match:
            raise Refused(Kind.PRECONDITION_REQUIRED, "Send the ETag you read as If-Match, or `*` for any.")
        return None
    if text.strip() == "*":
        return None
    tags = [_TAG.fullmatch(part.strip()) for part in text.split(",")]
    if not all(tags):
        raise Refused(Kind.INVALID_REQUEST, 'Expected If-Match to be `*` or tags in quotes, such as "0f3a".')
    # A weak tag never matches: RFC 9110, 13.1.1.
    return frozenset(tag[2] for tag in tags if tag is not None and tag[1] is None)


def _idempotency_key(operation: Operation[Any, Any], request: Request) -> str | None:
    text = _single(request, "idempotency-key")
    if text is None or not operation.creates:
        return None
    if _IDEMPOTENCY_KEY.fullmatch(text) is None:
        raise Refused(Kind.INVALID_REQUEST, "Expected an Idempotency-Key of 1 to 255 visible ASCII characters.")
    return text


async def _raw_body(operation: Operation[Any, Any], request: Request) -> bytes:
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for portion in request.stream():
                raw += portion
                if len(raw) > MAX_BODY_BYTES:
                    raise Refused(Kind.TOO_LARGE, f"Expected at most {MAX_BODY_BYTES} bytes.")
    except TimeoutError:
        raise Refused(Kind.TIMEOUT, f"Expected the body within {BODY_SECONDS:.0f} seconds.") from None
    except ClientDisconnect:
        raise Refused(Kind.INVALID_REQUEST, "The body was cut short.") from None
    if raw and not operation.takes_body:
        raise Refused(Kind.INVALID_REQUEST, "Expected no body.")
    if operation.takes_body:
        media_type = (_single(request, "content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Refused(Kind.UNSUPPORTED_MEDIA_TYPE, "Expected `Content-Type: application/json`.")
    return bytes(raw)


def _body(operation: Operation[Any, Any], raw: bytes) -> BaseModel:
    if not operation.takes_body:
        nothing: BaseModel = operation.body()
        return nothing
    try:
        body: BaseModel = operation.body.model_validate_json(raw)
    except ValidationError as invalid:
        errors = field_errors(invalid)
        if any(error["type"] == "json_invalid" for error in invalid.errors(include_input=False)):
            raise Refused(Kind.INVALID_REQUEST, "The body is not JSON.", errors=errors) from None
        raise Refused(Kind.INVALID, "The body is not what it must be.", errors=errors) from None
    _check_unrepeated(raw)
    return body


def _check_unrepeated(raw: bytes) -> None:
    """Raises Refused when an object names a member twice: one of the two would be ignored, and nobody says which."""

    def unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            # The name is as little shown as a value: a secret may stand in the wrong place.
            raise Refused(Kind.INVALID_REQUEST, "Expected the body to name each member once.")
        return found

    json.loads(raw.decode("utf-8"), object_pairs_hook=unrepeated)


def _asked(operation: Operation[Any, Any], request: Request, raw: bytes) -> bytes:
    """What makes two requests the same: operation, path, and the body however it is spaced and ordered."""
    body = json.loads(raw) if raw else None
    return json.dumps([operation.name, request.url.path, body], sort_keys=True).encode("ascii")
