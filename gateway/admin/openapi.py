"""The OpenAPI 3.1 document of the admin API, made from the table of operations and the models they use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.admin.operations import Operation, WouldChange
from gateway.admin.problems import MEDIA_TYPE, TYPE_PREFIX, Kind, Problem

API_VERSION = "1.0"
"""Of the API, not of the gateway: the first number is the one in its path."""
REFERENCE = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_ALWAYS = (Kind.INVALID_REQUEST, Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.MISDIRECTED, Kind.TOO_MANY_FAILURES)


def openapi_document(operations: Sequence[Operation[Any, Any]]) -> dict[str, Any]:
    """The whole document."""
    inputs: set[type[BaseModel]] = {operation.body for operation in operations if operation.takes_body}
    answers: set[type[BaseModel]] = {op.answer for op in operations if op.answer is not None} | {Problem, WouldChange}
    models = [
        *((model, "validation") for model in sorted(inputs, key=_name)),
        *((model, "serialization") for model in sorted(answers, key=_name)),
    ]
    _, definitions = models_json_schema(models, ref_template=REFERENCE)  # type: ignore[arg-type]  # pairs of literals
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "COS Gateway admin API",
            "version": API_VERSION,
            "description": "Access keys, COS credentials, admin tokens, policies and the audit log of one gateway.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"adminToken": []}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"adminToken": {"type": "http", "scheme": "bearer", "bearerFormat": "GWAT…"}},
        },
    }


def _operation(operation: Operation[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs the role {operation.role}.",
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.takes_body:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(operation.body)}}}
    return described


def _parameters(operation: Operation[Any, Any]) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(operation.path)
    ]
    schema = operation.query.model_json_schema()
    for name, member in schema.get("properties", {}).items():
        text = member.pop("description", "")
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "description": text,
                "schema": member,
            }
        )
    if operation.changes:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": operation.needs_if_match,
                "description": "The ETag that was read, or `*`; another present one is answered 412.",
                "schema": {"type": "string"},
            }
        )
    if operation.creates:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "A repeated request under the same key creates nothing and shows no secret again.",
                "schema": {"type": "string", "maxLength": 255},
            }
        )
    return parameters


def _responses(operation: Operation[Any, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if operation.answer is None:
        responses[str(operation.status)] = {"description": "Done."}
    else:
        responses[str(operation.status)] = {"description": "Done.", "content": _json(_ref(operation.answer))}
    if operation.creates and operation.answer is not None:
        either = {"anyOf": [_ref(operation.answer), _ref(WouldChange)]}
        text = "Done before under the same Idempotency-Key; or what a dry run would change."
        responses["200"] = {"description": text, "content": _json(either)}
    elif operation.changes:
        shown = [] if operation.answer is None else [_ref(operation.answer)]
        content = _json({"anyOf": [*shown, _ref(WouldChange)]})
        responses["200"] = {"description": "Done; or what a dry run would change.", "content": content}
    for status, kinds in _refusals(operation).items():
        described = "; ".join(f"{kind.title} (`{TYPE_PREFIX}{kind.slug}`)" for kind in kinds)
        responses[str(status)] = {
            "description": described + ".",
            "content": {MEDIA_TYPE: {"schema": _ref(Problem)}},
        }
    return responses


def _refusals(operation: Operation[Any, Any]) -> dict[int, list[Kind]]:
    kinds = [*_ALWAYS, Kind.INTERNAL, Kind.UNAVAILABLE]
    if "{" in operation.path:
        kinds.append(Kind.NOT_FOUND)
    if operation.takes_body:
        kinds += [Kind.TIMEOUT, Kind.TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE, Kind.INVALID]
    elif operation.changes:
        kinds.append(Kind.INVALID)
    if operation.changes:
        kinds += [Kind.CONFLICT, Kind.CHANGED]
    if operation.creates:
        kinds.append(Kind.IDEMPOTENCY_MISMATCH)
    if operation.needs_if_match:
        kinds.append(Kind.PRECONDITION_REQUIRED)
    by_status: dict[int, list[Kind]] = {}
    for kind in sorted(kinds, key=lambda kind: kind.status):
        by_status.setdefault(kind.status, []).append(kind)
    return by_status


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _name(model: type[BaseModel]) -> str:
    return model.__name__
