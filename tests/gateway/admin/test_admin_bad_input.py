"""What the admin API does not take: each is a 4xx problem that changes nothing and shows nothing back."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from gateway.admin.endpoint import MAX_BODY_BYTES
from gateway.stores.admin_tokens import Role
from tests.gateway.admin.asserting import refused
from tests.gateway.admin.conftest import Admin

JSON = {"Content-Type": "application/json"}
CANARY = "canary-5d1f-do-not-echo"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", "text/json",
     "application/merge-patch+json", "*/*", "application/json,text/plain"],
)  # fmt: skip
def test_a_body_that_is_not_called_json_is_refused(api: httpx.Client, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    refused(api.post("/access-keys", content=b'{"principal":"p"}', headers=headers), 415, "unsupported-media-type")


def test_json_may_name_its_character_set(api: httpx.Client) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert api.post("/access-keys?dry_run=true", content=b'{"principal":"p"}', headers=headers).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"", b" ", b"{", b"{}}", b"[", b"nul", b"{'principal': 'p'}", b'{"principal": "p",}', b'{"principal": p}',
        b"\xff\xfe", b'{"principal": "\xff"}', b'{"principal": "\\ud800"}', b'{"principal": "p"} {}',
        b"\xef\xbb\xbf{}",
        b"principal=p", b"[" * 10_000, b'{"a":' * 10_000, b'{"principal": "a\nb"}', b"NaN{",
    ],
)  # fmt: skip
def test_a_body_that_is_not_json_is_refused(api: httpx.Client, content: bytes) -> None:
    answer = api.post("/access-keys", content=content, headers=JSON)
    refused(answer, 400, "invalid-request")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("access-keys", b'{"principal": "p", "principal": "q"}', id="another value"),
        pytest.param("access-keys", b'{"principal": "p", "principal": "p"}', id="the same value"),
        pytest.param("access-keys", b'{"principal": "p", "princip\\u0061l": "p"}', id="spelled another way"),
        pytest.param("access-keys", b'{"principal": "p", "labels": {"canary-5d1f-do-not-echo": "1", '
                     b'"canary-5d1f-do-not-echo": "2"}}', id="within a member"),
        pytest.param("credentials", b'{"name": "twice", "account": "1250000000", "secret_id": "AKIDexample00000001", '
                     b'"secret_key": "canary-5d1f-do-not-echo-a", "secret_key": "canary-5d1f-do-not-echo-b"}',
                     id="a secret"),
        pytest.param("policies/explain", b'{"principal": "p", "action": "cos:GetObject", "action": "cos:PutObject"}',
                     id="a question"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dry_run", ["", "?dry_run=true"])
def test_a_member_that_is_named_twice_is_refused(
    admin: Admin, api: httpx.Client, path: str, content: bytes, dry_run: str
) -> None:
    before = [item["id"] for item in api.get("/access-keys").json()["items"]]
    answer = api.post(f"/{path}{dry_run if path != 'policies/explain' else ''}", content=content, headers=JSON)
    refused(answer, 400, "invalid-request")
    assert "once" in answer.json()["detail"]
    assert CANARY not in answer.text
    assert [item["id"] for item in api.get("/access-keys").json()["items"]] == before
    assert api.get("/credentials/twice").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, ""),
        ([], ""),
        ("p", ""),
        (1, ""),
        ({}, "principal"),
        ({"principal": None}, "principal"),
        ({"principal": 1}, "principal"),
        ({"principal": ["p"]}, "principal"),
        ({"principal": ""}, "principal"),
        ({"principal": "p" * 129}, "principal"),
        ({"principal": "p", "secret": CANARY}, "secret"),
        ({"principal": "p", "id": "GWAKMINE"}, "id"),
        ({"principal": "p", "state": "active"}, "state"),
        ({"principal": "p", "label": None}, "label"),
        ({"principal": "p", "label": "l" * 129}, "label"),
        ({"principal": "p", "labels": []}, "labels"),
        ({"principal": "p", "labels": {"a": 1}}, "labels.a"),
        ({"principal": "p", "labels": {"a": None}}, "labels.a"),
        ({"principal": "p", "labels": {f"l{i}": "" for i in range(33)}}, "labels"),
        ({"principal": "p", "networks": "10.0.0.0/8"}, "networks"),
        ({"principal": "p", "networks": [8]}, "networks.0"),
        ({"principal": "p", "networks": ["10.0.0.0/8"] * 65}, "networks"),
        ({"principal": "p", "expires_at": 4102444800}, "expires_at"),
        ({"principal": "p", "expires_at": "4102444800"}, "expires_at"),
        ({"principal": "p", "expires_at": "2099-01-01"}, "expires_at"),
        ({"principal": "p", "expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"principal": "p", "expires_at": "2099-13-01T00:00:00Z"}, "expires_at"),
        ({"principal": "p", "expires_at": "2099-01-01T00:00:00+24:00"}, "expires_at"),
        ({"principal": "p", "expires_at": "tomorrow"}, "expires_at"),
        ({"principal": "p", "expires_at": ""}, "expires_at"),
        ({"Principal": "p"}, "principal"),
    ],
)
def test_a_key_with_a_wrong_member_is_refused_and_the_member_named(api: httpx.Client, body: Any, field: str) -> None:
    answer = api.post("/access-keys", content=json.dumps(body), headers=JSON)
    problem = refused(answer, 422, "invalid")
    assert field in [error["field"] for error in problem["errors"]]
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {"principal": " p"},
        {"principal": "p\n"},
        {"principal": "\u202ep"},
        {"principal": "p\u0000"},
        {"label": "two\nlines"},
        {"labels": {"": "x"}},
        {"labels": {"a": "x" * 129}},
        {"networks": ["10.0.0.1/8"]},
        {"networks": ["example.com"]},
        {"networks": ["10.0.0.0/33"]},
        {"networks": [""]},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "9999-12-31T23:59:59-01:00"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_a_key_that_the_service_layer_refuses_is_not_issued(api: httpx.Client, fields: dict[str, Any]) -> None:
    refused(api.post("/access-keys", json={"principal": "p", **fields}), 422, "invalid")


@pytest.mark.parametrize(
    "body",
    [{"state": "expired"}, {"state": None}, {"state": "ACTIVE"}, {"principal": "other"}, {"secret": "x"}, {"id": "x"},
     {"created_at": "2001-01-01T00:00:00Z"}, {"etag": "x"}, {"label": 1}, {"networks": None}, {"expires_at": "never"},
     {"expires_at": "2001-01-01T00:00:00Z"}, [], None],
)  # fmt: skip
def test_an_edit_that_is_not_one_is_refused(api: httpx.Client, body: Any) -> None:
    issued = api.post("/access-keys", json={"principal": "p"}).json()
    path = f"/access-keys/{issued['id']}"
    refused(api.patch(path, content=json.dumps(body), headers={**JSON, "If-Match": "*"}), 422, "invalid")
    assert api.get(path).json()["etag"] == issued["etag"]


@pytest.mark.parametrize(
    "body",
    [{"overlap_seconds": -1}, {"overlap_seconds": 90 * 86400 + 1}, {"overlap_seconds": "60"}, {"overlap_seconds": 1.5},
     {"overlap_seconds": True}, {"overlap_seconds": 10**30}, {"overlap": 60}, {"expires_at": "2001-01-01T00:00:00Z"}],
)  # fmt: skip
def test_a_rotation_with_a_wrong_member_is_refused(api: httpx.Client, body: Any) -> None:
    issued = api.post("/access-keys", json={"principal": "p"}).json()
    refused(api.post(f"/access-keys/{issued['id']}/rotate", json=body), 422, "invalid")
    assert api.get(f"/access-keys/{issued['id']}").json()["etag"] == issued["etag"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=201", "limit=1.5", "limit=ten", "limit=", "limit=1&limit=2", "page=2", "Limit=1",
     "cursor=", "cursor=x", "cursor=W10=", "cursor=WzEsIDJd", "cursor=WyJhIiwgImIiXQ==", "cursor=WzEsICJhIl0",
     "cursor=WzEsICJcdWQ4MDAiXQ==", "cursor=Wy0xLCAiYSJd", "cursor=W3RydWUsICJhIl0=", "cursor=" + "A" * 600,
     "cursor=%00", "cursor=%ff", "principal=", "principal=" + "p" * 129, "dry_run=true"],
)  # fmt: skip
def test_a_query_that_is_not_one_is_refused(api: httpx.Client, query: str) -> None:
    refused(api.get(f"/access-keys?{query}"), 400, "invalid-request")


@pytest.mark.parametrize("value", ["", "maybe", "2", "tru", "TRUE "])
def test_a_dry_run_is_never_guessed(api: httpx.Client, value: str) -> None:
    refused(api.post("/access-keys", params={"dry_run": value}, json={"principal": "p"}), 400, "invalid-request")


def test_a_body_of_the_greatest_size_is_read_and_one_byte_more_is_not(api: httpx.Client) -> None:
    content = b'{"principal":"p"}'
    whole = content + b" " * (MAX_BODY_BYTES - len(content))
    assert api.post("/access-keys?dry_run=true", content=whole, headers=JSON).status_code == 200
    refused(api.post("/access-keys?dry_run=true", content=whole + b" ", headers=JSON), 413, "too-large")


def test_a_body_where_none_belongs_is_refused(api: httpx.Client) -> None:
    refused(api.request("GET", "/whoami", content=b"{}", headers=JSON), 400, "invalid-request")
    refused(api.post("/policies/reload", json={}), 400, "invalid-request")


def test_an_endless_body_is_not_read_to_its_end(admin: Admin) -> None:
    with socket.create_connection(("127.0.0.1", admin.gateway.admin_port), timeout=30) as raw:
        head = (
            "POST /api/v1/access-keys HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {admin.tokens[Role.SECURITY]}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        raw.sendall(head.encode())
        portion = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
        for _ in range(8):
            raw.sendall(portion)
        assert raw.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_request_without_a_token_is_refused_before_its_body_is_read(admin: Admin) -> None:
    with socket.create_connection(("127.0.0.1", admin.gateway.admin_port), timeout=30) as raw:
        raw.sendall(
            b"POST /api/v1/access-keys HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000\r\n\r\n"
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize(
    "path",
    ["/access-keys/", "/access-keys//", "/access-keys/GWAKNONE", "/access-keys/%2e%2e",
     "/access-keys/%00", "/access-keys/' OR 1=1 --", "/access-keys/GWAK%25", "/access-keys/" + "A" * 4000,
     "/credentials/none",
     "/credentials/a%2Fb", "/admin-tokens/none", "/Access-Keys", "/access-keys/\u00e9"],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(api: httpx.Client, path: str) -> None:
    refused(api.get(path), 404, "not-found")


@pytest.mark.parametrize("version", ["0", "2", "-1", "1.0", "x", "2147483648", "9" * 40, "%C2%B2", "\u0661"])
def test_a_version_that_does_not_exist_is_not_found(api: httpx.Client, version: str) -> None:
    pair = {"name": f"v{abs(hash(version))}", "account": "1250000000", "secret_id": "AKIDx", "secret_key": "secret"}
    assert api.post("/credentials", json=pair).status_code == 201
    refused(api.post(f"/credentials/{pair['name']}/versions/{version}/activate"), 404, "not-found")
    answer = api.delete(f"/credentials/{pair['name']}/versions/{version}", headers={"If-Match": "*"})
    refused(answer, 404, "not-found")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": ".."}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "n" * 65}, "name"),
        ({"name": "a\n"}, "name"),
        ({"account": "appid"}, "account"),
        ({"account": 1250000000}, "account"),
        ({"account": "\u0661"}, "account"),
        ({"secret_id": ""}, "secret_id"),
        ({"secret_key": ""}, "secret_key"),
        ({"secret_key": 5}, "secret_key"),
        ({"secret_key": None}, "secret_key"),
        ({"secret_key": f" {CANARY}"}, "secret_key"),
        ({"secret_key": f"{CANARY}\n"}, "secret_key"),
        ({"token": CANARY}, "token"),
        ({"version": 2}, "version"),
    ],
)
def test_a_credential_with_a_wrong_member_is_refused_without_its_secret(
    api: httpx.Client, fields: dict[str, Any], place: str
) -> None:
    body = {"name": "main", "account": "1250000000", "secret_id": "AKIDmain", "secret_key": CANARY, **fields}
    answer = api.post("/credentials", json=body)
    problem = refused(answer, 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == [place]
    assert CANARY not in answer.text
    assert api.get("/credentials/main").status_code == 404


@pytest.mark.parametrize("secret_key", [f"{CANARY} x", "\u00e9" + CANARY, CANARY * 20, "AKIDmain"])
def test_a_secret_that_the_service_layer_refuses_is_not_shown(api: httpx.Client, secret_key: str) -> None:
    body = {"name": "main", "account": "1250000000", "secret_id": "AKIDmain", "secret_key": secret_key}
    answer = api.post("/credentials", json=body)
    refused(answer, 422, "invalid")
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "x"}, {"role": "viewer"}, {"name": "x", "role": "root"}, {"name": "x", "role": "VIEWER"},
     {"name": "", "role": "viewer"}, {"name": "local:me/x", "role": "viewer"}, {"name": " x", "role": "viewer"},
     {"name": "x", "role": ["viewer"]}, {"name": "x", "role": "viewer", "token": "GWAT"},
     {"name": "x", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}],
)  # fmt: skip
def test_a_token_with_a_wrong_member_is_refused(api: httpx.Client, body: dict[str, Any]) -> None:
    refused(api.post("/admin-tokens", json=body), 422, "invalid")
