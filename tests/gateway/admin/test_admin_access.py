"""Who may ask the admin API, from where, and for what."""

from __future__ import annotations

import socket

import httpx
import pytest

from gateway.admin.api import operations
from gateway.admin.crew import Alone
from gateway.admin.guard import MAX_FAILURES, FailedTokens
from gateway.admin.problems import Refused
from gateway.stores.admin_tokens import Role
from tests.gateway.admin.asserting import refused
from tests.gateway.admin.conftest import Admin


def changed(token: str, at: int) -> str:
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Basic {token}",
        "{token}",
        "Bearer {token}A",
        "Bearer {short}",
        "Bearer {lower}",
        "Bearer {other_id}",
        "Bearer {other_secret}",
        "Bearer {token} {token}",
        "Bearer GWAT",
        "Bearer \u00e9",
    ],
)
def test_without_a_valid_token_nothing_is_answered(admin: Admin, authorization: str | None) -> None:
    token = admin.tokens[Role.SECURITY]
    headers = {}
    if authorization is not None:
        headers["Authorization"] = authorization.format(
            token=token,
            short=token[:-1],
            lower=token.lower(),
            other_id=changed(token, 10),
            other_secret=changed(token, 40),
        ).encode("latin-1")
    with admin.client(None, address="127.0.0.21") as client:
        answer = client.get("/whoami", headers=headers)
    refused(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert token not in answer.text
    if authorization is not None and " " in authorization:
        event = admin.event_of(answer)
        assert (event["type"], event["reason"], event["client"]) == ("admin_refused", "unauthenticated", "127.0.0.21")


def test_a_request_without_a_token_fills_no_log(admin: Admin) -> None:
    with admin.client(None, address="127.0.0.23") as client:
        answers = [client.get("/whoami") for _ in range(MAX_FAILURES + 5)]
    assert {answer.status_code for answer in answers} == {401}
    assert not [event for event in admin.events() if event.get("client") == "127.0.0.23"]


def test_a_cookie_or_a_query_parameter_is_no_token(admin: Admin) -> None:
    token = admin.tokens[Role.SECURITY]
    with admin.client(None, address="127.0.0.22") as client:
        refused(client.get("/whoami", headers={"Cookie": f"token={token}"}), 401, "unauthenticated")
        refused(client.get("/whoami", params={"access_token": token}), 401, "unauthenticated")


def test_two_authorization_headers_are_refused(admin: Admin) -> None:
    token = f"Bearer {admin.tokens[Role.SECURITY]}"
    with admin.client(None) as client:
        twice = httpx.Headers([("Authorization", token), ("Authorization", token)])
        refused(client.get("/whoami", headers=twice), 400, "invalid-request")


@pytest.mark.parametrize("role", list(Role))
def test_whoami_names_the_token_and_its_role(admin: Admin, role: Role) -> None:
    with admin.client(role) as client:
        answer = client.get("/whoami")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": admin.tokens[role][:20], "name": f"test-{role}", "role": role, "expires_at": None,
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"


def test_each_operation_is_refused_to_the_roles_below_it(admin: Admin) -> None:
    table = operations(admin.gateway.services, Alone(admin.gateway.services))
    ranks = list(Role)
    asked = 0
    for operation in table:
        path = (
            operation.path.format_map({"id": "GWAKNONE", "name": "none", "version": "1"})
            if "{" in operation.path
            else operation.path
        )
        for role in ranks:
            if ranks.index(role) < ranks.index(operation.role):
                with admin.client(role) as client:
                    answer = client.request(operation.method, path)
                problem = refused(answer, 403, "forbidden")
                assert operation.role in problem["detail"]
                asked += 1
    assert asked > 15


@pytest.mark.parametrize(
    ("role", "method", "path", "allowed"),
    [
        ("viewer", "GET", "/access-keys", True),
        ("viewer", "GET", "/credentials", True),
        ("viewer", "GET", "/policies", True),
        ("viewer", "GET", "/buckets", True),
        ("viewer", "POST", "/access-keys", False),
        ("viewer", "GET", "/admin-tokens", False),
        ("operator", "POST", "/access-keys", True),
        ("operator", "DELETE", "/access-keys/GWAKNONE", True),
        ("operator", "POST", "/credentials", False),
        ("operator", "DELETE", "/credentials/main", False),
        ("operator", "POST", "/policies/reload", False),
        ("operator", "POST", "/admin-tokens", False),
        ("security", "POST", "/credentials", True),
        ("security", "POST", "/admin-tokens", True),
        ("security", "POST", "/access-keys", True),
    ],
)
def test_what_each_role_is_for(admin: Admin, role: str, method: str, path: str, allowed: bool) -> None:
    with admin.client(Role(role)) as client:
        assert (client.request(method, path).status_code != 403) is allowed


def test_a_refused_role_is_in_the_audit_log(admin: Admin) -> None:
    with admin.client(Role.VIEWER) as client:
        answer = client.post("/policies/reload")
    event = admin.event_of(answer)
    assert (event["type"], event["reason"], event["actor"]) == ("admin_refused", "forbidden", "test-viewer")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8081", "[::1]:8081", "10.1.2.3:1"])
def test_an_address_or_localhost_is_a_host(admin: Admin, host: str) -> None:
    with admin.client() as client:
        assert client.get("/whoami", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status", "kind"),
    [
        ("attacker.example", 421, "misdirected"),
        ("attacker.example:8081", 421, "misdirected"),
        ("localhost.attacker.example", 421, "misdirected"),
        ("127.0.0.1.attacker.example", 421, "misdirected"),
        ("localhost.", 421, "misdirected"),
        ("2130706433", 421, "misdirected"),
        ("", 421, "misdirected"),
        ("user@attacker.example", 421, "misdirected"),
        ("localhost:port", 400, "invalid-request"),
        ("[::1", 400, "invalid-request"),
    ],
)
@pytest.mark.parametrize("path", ["/whoami", "/openapi.json"])
def test_another_host_name_is_refused(admin: Admin, path: str, host: str, status: int, kind: str) -> None:
    with admin.client() as client:
        refused(client.get(path, headers={"Host": host}), status, kind)


@pytest.mark.parametrize(
    "origin",
    ["http://attacker.example", "null", "", "http://127.0.0.1:1", "file://", "http://[", "chrome-extension://x"],
)
def test_a_page_of_another_origin_is_refused(admin: Admin, origin: str) -> None:
    with admin.client() as client:
        refused(client.get("/whoami", headers={"Origin": origin}), 403, "forbidden")


def test_a_page_of_the_same_origin_may_ask(admin: Admin) -> None:
    with admin.client() as client:
        answer = client.get("/whoami", headers={"Origin": admin.gateway.admin_endpoint})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_two_host_headers_are_never_answered(admin: Admin) -> None:
    with socket.create_connection(("127.0.0.1", admin.gateway.admin_port), timeout=30) as raw:
        token = admin.tokens[Role.SECURITY]
        raw.sendall(
            f"GET /api/v1/whoami HTTP/1.1\r\nHost: localhost\r\nHost: x.example\r\n"
            f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400")


def test_too_many_failed_tokens_stop_one_address_and_no_other(admin: Admin) -> None:
    with admin.client(None, address="127.0.0.31", Authorization="Bearer wrong") as guessing:
        statuses = [guessing.get("/whoami").status_code for _ in range(MAX_FAILURES + 3)]
        assert statuses[:MAX_FAILURES] == [401] * MAX_FAILURES
        assert set(statuses[MAX_FAILURES + 1 :]) == {429}
        assert int(guessing.get("/whoami").headers["retry-after"]) >= 1
    # Now even the right token is not looked at, from there.
    with admin.client(address="127.0.0.31") as late:
        refused(late.get("/whoami"), 429, "too-many-failures")
    with admin.client(address="127.0.0.32") as other:
        assert other.get("/whoami").status_code == 200


def test_a_forwarded_address_does_not_count_for_the_connections_own(admin: Admin) -> None:
    with admin.client(None, address="127.0.0.33", Authorization="Bearer wrong") as guessing:
        answer = guessing.get("/whoami", headers={"X-Forwarded-For": "192.0.2.1"})
    event = admin.event_of(answer)
    assert event["client"] == "127.0.0.33"


def test_failures_are_forgiven_with_time() -> None:
    now = [100.0]
    failures = FailedTokens(clock=lambda: now[0])
    for _ in range(MAX_FAILURES):
        failures.check("192.0.2.1")
        failures.note("192.0.2.1")
    with pytest.raises(Refused):
        failures.check("192.0.2.1")
    now[0] += 3.1
    failures.check("192.0.2.1")
    failures.note("192.0.2.1")
    with pytest.raises(Refused):
        failures.check("192.0.2.1")


def test_an_unknown_path_or_method_is_a_problem(api: httpx.Client) -> None:
    refused(api.get("/nothing"), 404, "not-found")
    answer = api.put("/buckets")
    refused(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


def test_health_and_metrics_need_no_token(admin: Admin) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert httpx.get(f"{admin.gateway.admin_endpoint}{path}").status_code == 200


def test_the_data_port_has_no_admin_api(admin: Admin) -> None:
    headers = {"Authorization": f"Bearer {admin.tokens[Role.SECURITY]}"}
    answer = httpx.get(f"{admin.gateway.endpoint}/api/v1/whoami", headers=headers)
    assert answer.status_code == 400
    assert b"<Code>InvalidBucketName</Code>" in answer.content
