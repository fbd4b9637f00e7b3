"""The OpenAPI document: sound, complete, and true of what the API answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.admin.api import operations
from gateway.admin.crew import Alone
from tests.gateway.admin.conftest import Admin

METHODS = {"get", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def document(admin: Admin) -> dict[str, Any]:
    with admin.client(None) as client:
        answer = client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    described: dict[str, Any] = answer.json()
    return described


def walked(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from walked(member)
    elif isinstance(value, list):
        for member in value:
            yield from walked(member)


def described_operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, what) for path, methods in document["paths"].items() for method, what in methods.items()]


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert set(document) == {"openapi", "info", "servers", "security", "paths", "components"}
    assert document["info"]["title"]
    assert document["info"]["version"]
    assert document["servers"] == [{"url": "/api/v1"}]
    (requirement,) = document["security"]
    assert set(requirement) <= set(document["components"]["securitySchemes"])
    assert all(path.startswith("/") for path in document["paths"])


def test_every_route_is_described_and_nothing_else(admin: Admin, document: dict[str, Any]) -> None:
    table = {
        (operation.method.lower(), operation.path)
        for operation in operations(admin.gateway.services, Alone(admin.gateway.services))
    }
    assert {(method, path) for method, path, _ in described_operations(document)} == table
    assert len(table) > 15


def test_every_reference_leads_somewhere_and_no_schema_is_left_over(document: dict[str, Any]) -> None:
    references = {node["$ref"] for node in walked(document) if isinstance(node.get("$ref"), str)}
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references == schemas


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    described = described_operations(document)
    ids = [what["operationId"] for _, _, what in described]
    assert len(set(ids)) == len(ids)
    for method, path, what in described:
        assert method in METHODS, path
        assert re.fullmatch(r"[A-Z].*\.", what["summary"]), path
        assert ("requestBody" in what) <= (method in {"post", "patch"}), path


def test_parameters_of_the_path_are_declared_and_all_have_a_schema(document: dict[str, Any]) -> None:
    for method, path, what in described_operations(document):
        declared = what["parameters"]
        assert {item["name"] for item in declared if item["in"] == "path"} == set(re.findall(r"\{(\w+)\}", path))
        assert len({(item["in"], item["name"]) for item in declared}) == len(declared)
        for item in declared:
            assert item["schema"], (method, path, item)
            assert item["in"] in {"path", "query", "header"}
            assert item["required"] or item["in"] != "path"


def test_edits_declare_if_match_and_creations_an_idempotency_key(document: dict[str, Any]) -> None:
    for method, path, what in described_operations(document):
        headers = {item["name"]: item["required"] for item in what["parameters"] if item["in"] == "header"}
        # What cannot be read has no tag: ending a session.
        if method in {"patch", "delete"} and "get" in document["paths"][path]:
            assert headers["If-Match"] is True, path
            assert {"412", "428"} <= set(what["responses"]), path
        if "201" in what["responses"]:
            assert headers["Idempotency-Key"] is False, path
        if method == "get":
            assert headers == {}, path


def test_every_refusal_is_a_problem(document: dict[str, Any]) -> None:
    for _, path, what in described_operations(document):
        refusals = {status: answer for status, answer in what["responses"].items() if status >= "400"}
        assert {"400", "401", "403", "429", "503"} <= set(refusals), path
        for answer in refusals.values():
            assert list(answer["content"]) == ["application/problem+json"]
            assert answer["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_no_answer_but_a_creation_holds_a_secret(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    secret = {
        name
        for name, schema in schemas.items()
        if {"secret", "token", "secret_key"} & set(schema.get("properties", ()))
    }
    assert secret <= {
        "IssuedAccessKeyView",
        "IssuedAdminTokenView",
        "NewCredential",
        "CredentialPair",
        "CredentialRotation",
    }
    for name in ("NewCredential", "CredentialPair"):
        assert schemas[name]["properties"]["secret_key"]["writeOnly"] is True


def test_inputs_take_nothing_unknown(document: dict[str, Any]) -> None:
    for _, path, what in described_operations(document):
        if "requestBody" in what:
            name = what["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
            assert document["components"]["schemas"][name]["additionalProperties"] is False, path


@pytest.mark.parametrize("path", ["/whoami", "/access-keys", "/credentials", "/admin-tokens", "/policies", "/buckets"])
def test_an_answer_has_exactly_the_members_described(
    admin: Admin, api: httpx.Client, document: dict[str, Any], path: str
) -> None:
    api.post("/access-keys", json={"principal": "team:media"})
    answer = api.get(path).json()
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    properties = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]["properties"]
    assert set(answer) == set(properties)
    if answer.get("items"):
        item = document["components"]["schemas"][properties["items"]["items"]["$ref"].rsplit("/", 1)[-1]]
        assert set(answer["items"][0]) == set(item["properties"])
