"""The admin API at `/api/v1`: its table of operations, and nothing that is not in it.

Source: RFC 9457 (refusals), RFC 9110 (If-Match), OpenAPI 3.1.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.admin.access_keys import access_key_operations
from gateway.admin.admin_tokens import admin_token_operations
from gateway.admin.audit import audit_operations
from gateway.admin.buckets import bucket_operations
from gateway.admin.credentials import credential_operations
from gateway.admin.crew import Crew
from gateway.admin.endpoint import Endpoint, finished
from gateway.admin.openapi import openapi_document
from gateway.admin.operations import Operation
from gateway.admin.policies import policy_operations
from gateway.admin.problems import Kind, Refused, problem_response
from gateway.admin.sessions import session_operations
from gateway.identifiers import new_request_id
from gateway.services import Services
from gateway.settings import Environment

DOCUMENT_PATH = "/openapi.json"


def operations(services: Services, crew: Crew) -> list[Operation[Any, Any]]:
    """Every operation there is."""
    return [
        *admin_token_operations(services.administration.tokens),
        *access_key_operations(services.administration.keys),
        *credential_operations(
            services.administration.credentials,
            services.rotation,
            production=services.settings.environment is Environment.PRODUCTION,
        ),
        *session_operations(services.administration.sessions),
        *policy_operations(services.policies, services.audit, services.buckets.records, crew.follow_reload),
        *bucket_operations(services.buckets.records),
        *audit_operations(services.audit.path),
    ]


def api_app(services: Services, crew: Crew) -> Starlette:
    """The API as an application of its own, to be mounted at `/api/v1`."""
    table = operations(services, crew)
    endpoint = Endpoint(services.administration.tokens, services.audit, hosts=services.settings.admin.hosts)
    document = json.dumps(openapi_document(table)).encode("utf-8")

    async def openapi(request: Request) -> Response:
        """The document is the same for everybody and says nothing of this gateway: it needs no token."""
        request_id = new_request_id()
        try:
            endpoint.check_place(request)
        except Refused as refused:
            return finished(problem_response(refused, path=request.url.path, request_id=request_id), request_id)
        return finished(Response(document, media_type="application/json"), request_id)

    by_path: dict[str, dict[str, Operation[Any, Any]]] = {}
    for operation in table:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    routes = [Route(path, _dispatch(endpoint, methods), methods=list(methods)) for path, methods in by_path.items()]
    app = Starlette(
        routes=[Route(DOCUMENT_PATH, openapi), *routes],
        exception_handlers={HTTPException: _not_routed, Exception: _failed},
    )
    # A redirect would carry a token to wherever the Host header says.
    app.router.redirect_slashes = False
    return app


def _dispatch(endpoint: Endpoint, methods: dict[str, Operation[Any, Any]]) -> Any:
    async def answer(request: Request) -> Response:
        # starlette lets HEAD through wherever GET is.
        return await endpoint.answer(methods["GET" if request.method == "HEAD" else request.method], request)

    return answer


async def _not_routed(request: Request, error: Exception) -> Response:
    """No such path, or not this method on it."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = error.headers if isinstance(error, HTTPException) else None
    kind = Kind.METHOD_NOT_ALLOWED if status == Kind.METHOD_NOT_ALLOWED.status else Kind.NOT_FOUND
    return _problem(request, Refused(kind, f"{request.method} is not here; see /api/v1/openapi.json.", headers=headers))


async def _failed(request: Request, _: Exception) -> Response:
    """What nobody foresaw. The server logs it; the answer tells nothing of it."""
    return _problem(request, Refused(Kind.INTERNAL, "The request failed; nothing is known of its outcome."))


def _problem(request: Request, refused: Refused) -> Response:
    request_id = new_request_id()
    return finished(problem_response(refused, path=request.url.path, request_id=request_id), request_id)
