"""COS credentials and admin tokens through the admin API: what goes in secret does not come out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from cos.values import Bucket, Region
from gateway.ports import BucketRecord
from gateway.stores.admin_tokens import Role
from tests.gateway.admin.asserting import refused
from tests.gateway.admin.conftest import Admin

SECRET = "CanarySecretKeyOfTheCloud0000000001"
NEXT_SECRET = "CanarySecretKeyOfTheCloud0000000002"


def add(api: httpx.Client, name: str, **fields: Any) -> dict[str, Any]:
    body = {"name": name, "account": "1251111111", "secret_id": "AKIDexampleexample0001", "secret_key": SECRET}
    answer = api.post("/credentials", json={**body, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/v1/credentials/{name}"
    view: dict[str, Any] = answer.json()
    return view


def opened(admin: Admin, name: str) -> tuple[str, str]:
    bucket = BucketRecord(Bucket("b-1251111111"), Region("ap-guangzhou"), "1251111111", name)
    credential = admin.gateway.services.credentials.open_for(bucket)
    return credential.secret_id, credential.secret_key.reveal()


def test_a_credential_is_replaced_in_two_steps_and_used_at_once(admin: Admin, api: httpx.Client) -> None:
    name = f"main-{uuid4().hex}"
    view = add(api, name)
    assert [(item["version"], item["state"], item["secret_id"]) for item in view["versions"]] == [
        (1, "active", "AKID…0001")
    ]
    assert opened(admin, name) == ("AKIDexampleexample0001", SECRET)

    pair = {"secret_id": "AKIDexampleexample0002", "secret_key": NEXT_SECRET}
    staged = api.post(f"/credentials/{name}/versions", json=pair)
    assert staged.status_code == 201
    assert [item["state"] for item in staged.json()["versions"]] == ["active", "staged"]
    assert opened(admin, name) == ("AKIDexampleexample0001", SECRET)

    active = api.post(f"/credentials/{name}/versions/2/activate", headers={"If-Match": staged.headers["etag"]})
    assert active.status_code == 200
    assert [item["state"] for item in active.json()["versions"]] == ["retired", "active"]
    assert opened(admin, name) == ("AKIDexampleexample0002", NEXT_SECRET)

    event = admin.last_change()
    assert (event["action"], event["target"]) == ("credentials.activate", name)
    assert (event["before"], event["after"]) == (staged.json(), active.json())

    path = f"/credentials/{name}/versions/1"
    refused(api.delete(path, headers={"If-Match": staged.headers["etag"]}), 412, "changed")
    assert api.delete(path, headers={"If-Match": active.headers["etag"]}).status_code == 204
    assert [item["version"] for item in api.get(f"/credentials/{name}").json()["versions"]] == [2]


def test_a_name_is_taken_once(api: httpx.Client) -> None:
    name = f"main-{uuid4().hex}"
    add(api, name)
    body = {"name": name, "account": "1251111111", "secret_id": "AKIDother", "secret_key": NEXT_SECRET}
    refused(api.post("/credentials", json=body), 409, "conflict")
    assert len(api.get(f"/credentials/{name}").json()["versions"]) == 1


def test_a_removed_credential_is_gone_and_needs_its_tag(admin: Admin, api: httpx.Client) -> None:
    name = f"main-{uuid4().hex}"
    view = add(api, name)
    refused(api.delete(f"/credentials/{name}"), 428, "precondition-required")
    refused(api.delete(f"/credentials/{name}", headers={"If-Match": '"x"'}), 412, "changed")
    assert api.delete(f"/credentials/{name}", headers={"If-Match": f'"{view["etag"]}"'}).status_code == 204
    refused(api.get(f"/credentials/{name}"), 404, "not-found")
    assert (admin.last_change()["before"], admin.last_change()["after"]) == (view, None)


def test_a_repeated_addition_or_stage_is_done_once(api: httpx.Client) -> None:
    name = f"main-{uuid4().hex}"
    body = {"name": name, "account": "1251111111", "secret_id": "AKIDexample", "secret_key": SECRET}
    headers = {"Idempotency-Key": str(uuid4())}
    answers = [api.post("/credentials", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    refused(
        api.post("/credentials", json={**body, "secret_key": NEXT_SECRET}, headers=headers), 422, "idempotency-mismatch"
    )
    pair, headers = {"secret_id": "AKIDnext", "secret_key": NEXT_SECRET}, {"Idempotency-Key": str(uuid4())}
    answers = [api.post(f"/credentials/{name}/versions", json=pair, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert len(answers[1].json()["versions"]) == 2


def test_a_dry_run_stores_no_credential(admin: Admin, api: httpx.Client) -> None:
    name, lines = f"main-{uuid4().hex}", len(admin.events())
    body = {"name": name, "account": "1251111111", "secret_id": "AKIDexample", "secret_key": SECRET}
    answer = api.post("/credentials?dry_run=true", json=body)
    assert answer.status_code == 200
    assert answer.json()["after"]["name"] == name
    refused(api.get(f"/credentials/{name}"), 404, "not-found")
    assert len(admin.events()) == lines


def test_credentials_are_listed_in_pages_by_name(api: httpx.Client) -> None:
    names = {add(api, f"page-{uuid4().hex}")["name"] for _ in range(3)}
    seen: list[str] = []
    query = {"limit": "1"}
    while True:
        page = api.get("/credentials", params=query).json()
        seen += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert names <= set(seen)
    assert seen == sorted(set(seen))


# --- admin tokens ------------------------------------------------------------------------------------------


def test_a_token_works_until_it_is_withdrawn(admin: Admin, api: httpx.Client) -> None:
    name = f"ci-{uuid4().hex}"
    made = api.post("/admin-tokens", json={"name": name, "role": "operator"})
    assert made.status_code == 201
    view = made.json()
    assert view["token"].startswith(view["id"])
    with admin.client(None, Authorization=f"Bearer {view['token']}", address="127.0.0.41") as theirs:
        assert theirs.get("/whoami").json()["name"] == name
        assert api.delete(f"/admin-tokens/{view['id']}", headers={"If-Match": made.headers["etag"]}).status_code == 204
        refused(theirs.get("/whoami"), 401, "unauthenticated")
    shown = {key: value for key, value in view.items() if key != "token"}
    assert (admin.last_change()["action"], admin.last_change()["before"]) == ("admin_tokens.delete", shown)


def test_no_two_tokens_share_a_name(api: httpx.Client) -> None:
    body = {"name": f"ci-{uuid4().hex}", "role": "viewer"}
    assert api.post("/admin-tokens", json=body).status_code == 201
    refused(api.post("/admin-tokens", json=body), 409, "conflict")


def test_a_repeated_token_is_not_shown_again(api: httpx.Client) -> None:
    body, headers = {"name": f"ci-{uuid4().hex}", "role": "viewer"}, {"Idempotency-Key": str(uuid4())}
    first, second = (api.post("/admin-tokens", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == {**first.json(), "token": None}


def test_tokens_are_listed_without_what_proves_them(admin: Admin, api: httpx.Client) -> None:
    answer = api.get("/admin-tokens", params={"limit": "200"})
    assert {f"test-{role}" for role in Role} <= {item["name"] for item in answer.json()["items"]}
    for token in admin.tokens.values():
        assert token[20:] not in answer.text
    assert {tuple(item) for item in answer.json()["items"]} == {
        ("id", "name", "role", "created_at", "expires_at", "etag")
    }


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_no_role_makes_itself_a_higher_one(admin: Admin, role: Role) -> None:
    with admin.client(role) as client:
        refused(client.post("/admin-tokens", json={"name": "up", "role": "security"}), 403, "forbidden")
