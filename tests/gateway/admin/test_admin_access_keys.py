"""Access keys through the admin API: issued, edited, rotated and removed, each change as its terms say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from gateway.ports import KeyState
from gateway.stores.admin_tokens import Role
from tests.gateway.admin.asserting import refused
from tests.gateway.admin.conftest import Admin


def create(api: httpx.Client, principal: str = "team:media", **fields: Any) -> dict[str, Any]:
    answer = api.post("/access-keys", json={"principal": principal, **fields})
    assert answer.status_code == 201, answer.text
    issued: dict[str, Any] = answer.json()
    return issued


def tag(view: dict[str, Any]) -> dict[str, str]:
    return {"If-Match": f'"{view["etag"]}"'}


def shown(view: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in view.items() if name != "secret"}


def test_a_created_key_is_usable_at_once_and_its_secret_is_shown_once(admin: Admin, api: httpx.Client) -> None:
    answer = api.post(
        "/access-keys",
        json={
            "principal": "team:media",
            "label": "batch",
            "labels": {"env": "prod"},
            "networks": ["10.0.0.0/8", "2001:db8::/32"],
            "expires_at": "2099-01-01T00:00:00+02:00",
        },
    )
    assert answer.status_code == 201
    issued = answer.json()
    assert answer.headers["location"] == f"/api/v1/access-keys/{issued['id']}"
    assert answer.headers["etag"] == f'"{issued["etag"]}"'
    assert issued["networks"] == ["10.0.0.0/8", "2001:db8::/32"]
    assert datetime.fromisoformat(issued["expires_at"]) == datetime(2098, 12, 31, 22, tzinfo=UTC)
    found = admin.gateway.services.keys.find(issued["id"])
    assert found is not None
    assert found.secret.reveal() == issued["secret"]
    again = api.get(f"/access-keys/{issued['id']}")
    assert again.json() == shown(issued)
    assert again.headers["etag"] == answer.headers["etag"]


def test_a_creation_is_audited_without_its_secret(admin: Admin, api: httpx.Client) -> None:
    issued = create(api)
    event = admin.last_change()
    assert (event["actor"], event["action"], event["target"]) == ("test-security", "access_keys.create", issued["id"])
    assert event["client"] == "127.0.0.1"
    assert event["before"] is None
    assert event["after"] == shown(issued)


def test_an_edit_changes_what_it_names_and_nothing_else(admin: Admin, api: httpx.Client) -> None:
    issued = create(api, label="old", labels={"a": "1"}, networks=["10.0.0.0/8"], expires_at="2099-01-01T00:00:00Z")
    answer = api.patch(f"/access-keys/{issued['id']}", json={"label": "new"}, headers=tag(issued))
    assert answer.status_code == 200
    edited = answer.json()
    assert edited["etag"] != issued["etag"]
    assert edited == {**shown(issued), "label": "new", "etag": edited["etag"]}
    event = admin.last_change()
    assert (event["action"], event["before"], event["after"]) == ("access_keys.edit", shown(issued), edited)


def test_an_edit_may_clear_what_is_optional(api: httpx.Client) -> None:
    issued = create(api, labels={"a": "1"}, networks=["10.0.0.0/8"], expires_at="2099-01-01T00:00:00Z")
    body = {"labels": {}, "networks": [], "expires_at": None}
    edited = api.patch(f"/access-keys/{issued['id']}", json=body, headers=tag(issued)).json()
    assert (edited["labels"], edited["networks"], edited["expires_at"]) == ({}, [], None)


def test_a_disabled_key_is_refused_at_once(admin: Admin, api: httpx.Client) -> None:
    issued = create(api)
    assert api.patch(f"/access-keys/{issued['id']}", json={"state": "disabled"}, headers=tag(issued)).is_success
    found = admin.gateway.services.keys.find(issued["id"])
    assert found is not None
    assert found.state is KeyState.DISABLED


def test_a_deleted_key_is_gone_at_once(admin: Admin, api: httpx.Client) -> None:
    issued = create(api)
    answer = api.delete(f"/access-keys/{issued['id']}", headers=tag(issued))
    assert (answer.status_code, answer.content) == (204, b"")
    assert admin.gateway.services.keys.find(issued["id"]) is None
    refused(api.get(f"/access-keys/{issued['id']}"), 404, "not-found")
    event = admin.last_change()
    assert (event["action"], event["before"], event["after"]) == ("access_keys.delete", shown(issued), None)


def test_a_rotation_gives_a_second_key_and_lets_the_first_expire(admin: Admin, api: httpx.Client) -> None:
    issued = create(api, label="batch", labels={"env": "prod"}, networks=["10.0.0.0/8"])
    answer = api.post(f"/access-keys/{issued['id']}/rotate", json={"overlap_seconds": 3600})
    assert answer.status_code == 201
    fresh, previous = answer.json()["key"], answer.json()["previous"]
    assert fresh["id"] != issued["id"]
    assert fresh["secret"] != issued["secret"]
    assert fresh["expires_at"] is None
    for name in ("principal", "label", "labels", "networks", "state"):
        assert fresh[name] == issued[name], name
    left = datetime.fromisoformat(previous["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    keys = admin.gateway.services.keys
    both = [keys.find(issued["id"]), keys.find(fresh["id"])]
    assert [key.state for key in both if key is not None] == [KeyState.ACTIVE, KeyState.ACTIVE]
    event = admin.last_change()
    assert (event["action"], event["after"], event["rotated"]["after"]) == (
        "access_keys.rotate", shown(fresh), previous,
    )  # fmt: skip


def test_a_rotation_never_lengthens_the_life_of_the_old_key(api: httpx.Client) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=5)).replace(microsecond=0)
    issued = create(api, expires_at=soon.isoformat())
    rotated = api.post(f"/access-keys/{issued['id']}/rotate", json={"overlap_seconds": 3600}).json()
    assert datetime.fromisoformat(rotated["previous"]["expires_at"]) == soon


@pytest.mark.parametrize("state", ["disabled", "expired"])
def test_a_key_that_is_not_in_use_is_not_rotated(api: httpx.Client, state: str) -> None:
    issued = create(api)
    if state == "disabled":
        api.patch(f"/access-keys/{issued['id']}", json={"state": "disabled"}, headers=tag(issued))
    else:
        assert api.post(f"/access-keys/{issued['id']}/rotate", json={"overlap_seconds": 0}).status_code == 201
    refused(api.post(f"/access-keys/{issued['id']}/rotate", json={}), 409, "conflict")


# --- If-Match ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("if_match", "status", "kind"),
    [
        (None, 428, "precondition-required"),
        ('"0000"', 412, "changed"),
        ('""', 412, "changed"),
        ('W/"{etag}"', 412, "changed"),
        ("{etag}", 400, "invalid-request"),
        ('"{etag}', 400, "invalid-request"),
        ("", 400, "invalid-request"),
        ('"{etag}",', 400, "invalid-request"),
        ("*, *", 400, "invalid-request"),
    ],
)
def test_a_change_needs_the_tag_of_what_it_changes(
    api: httpx.Client, method: str, if_match: str | None, status: int, kind: str
) -> None:
    issued = create(api)
    path = f"/access-keys/{issued['id']}"
    headers = {} if if_match is None else {"If-Match": if_match.format(etag=issued["etag"])}
    body = {"json": {"label": "x"}} if method == "PATCH" else {}
    refused(api.request(method, path, headers=headers, **body), status, kind)
    assert api.get(path).json() == shown(issued)


@pytest.mark.parametrize("if_match", ["*", '"{etag}"', '"other", "{etag}"'])
def test_a_matching_tag_lets_a_change_through(api: httpx.Client, if_match: str) -> None:
    issued = create(api)
    headers = {"If-Match": if_match.format(etag=issued["etag"])}
    assert api.patch(f"/access-keys/{issued['id']}", json={"label": "x"}, headers=headers).status_code == 200


def test_of_two_edits_of_the_same_state_one_is_refused(admin: Admin, api: httpx.Client) -> None:
    issued = create(api)

    def edit(label: str) -> int:
        with admin.client() as client:
            path = f"/access-keys/{issued['id']}"
            return client.patch(path, json={"label": label}, headers=tag(issued)).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(edit, ["a", "b", "c", "d"]))
    assert statuses == [200, 412, 412, 412]


def test_a_rotation_with_a_stale_tag_is_refused(api: httpx.Client) -> None:
    issued = create(api)
    answer = api.post(f"/access-keys/{issued['id']}/rotate", json={}, headers={"If-Match": '"0000"'})
    refused(answer, 412, "changed")


# --- Idempotency-Key ---------------------------------------------------------------------------------------


def test_a_repeated_creation_gives_the_same_key_without_its_secret(admin: Admin, api: httpx.Client) -> None:
    principal, headers = f"team:{uuid4()}", {"Idempotency-Key": str(uuid4())}
    first = api.post("/access-keys", json={"principal": principal, "label": "x"}, headers=headers)
    # The same members in another order and with spaces are the same request.
    content = f'{{ "label": "x",  "principal": "{principal}" }}'
    second = api.post("/access-keys", content=content, headers={**headers, "Content-Type": "application/json"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert second.json() == {**first.json(), "secret": None}
    assert len(api.get("/access-keys", params={"principal": principal}).json()["items"]) == 1
    assert len([event for event in admin.events() if event.get("target") == first.json()["id"]]) == 1


def test_an_idempotency_key_is_for_one_request(api: httpx.Client) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    issued = api.post("/access-keys", json={"principal": "team:one"}, headers=headers).json()
    refused(api.post("/access-keys", json={"principal": "team:two"}, headers=headers), 422, "idempotency-mismatch")
    path = f"/access-keys/{issued['id']}/rotate"
    refused(api.post(path, json={}, headers=headers), 422, "idempotency-mismatch")


def test_an_idempotency_key_belongs_to_one_token(admin: Admin, api: httpx.Client) -> None:
    headers, body = {"Idempotency-Key": str(uuid4())}, {"principal": "team:one"}
    mine = api.post("/access-keys", json=body, headers=headers)
    with admin.client(Role.OPERATOR) as other:
        theirs = other.post("/access-keys", json=body, headers=headers)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]


def test_a_repeated_rotation_rotates_once(api: httpx.Client) -> None:
    issued, headers = create(api, principal=f"team:{uuid4()}"), {"Idempotency-Key": str(uuid4())}
    path = f"/access-keys/{issued['id']}/rotate"
    first, second = (api.post(path, json={"overlap_seconds": 0}, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["key"] == {**first.json()["key"], "secret": None}
    assert second.json()["previous"] == first.json()["previous"]


def test_many_at_once_under_one_key_create_one(admin: Admin) -> None:
    principal, headers = f"team:{uuid4()}", {"Idempotency-Key": str(uuid4())}

    def ask(_: int) -> httpx.Response:
        with admin.client() as client:
            return client.post("/access-keys", json={"principal": principal}, headers=headers)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_what_was_created_and_removed_is_not_created_again(api: httpx.Client) -> None:
    headers, body = {"Idempotency-Key": str(uuid4())}, {"principal": "team:one"}
    issued = api.post("/access-keys", json=body, headers=headers).json()
    api.delete(f"/access-keys/{issued['id']}", headers=tag(issued))
    refused(api.post("/access-keys", json=body, headers=headers), 409, "conflict")


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "\u00e9"])
def test_an_idempotency_key_is_short_visible_ascii(api: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    refused(api.post("/access-keys", json={"principal": "p"}, headers=headers), 400, "invalid-request")


# --- dry run -----------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_change_and_changes_nothing(admin: Admin, api: httpx.Client) -> None:
    issued, principal = create(api), f"team:{uuid4()}"
    path, lines = f"/access-keys/{issued['id']}", len(admin.events())
    dry = {"dry_run": "true"}
    created = api.post("/access-keys", params=dry, json={"principal": principal})
    edited = api.patch(path, params=dry, json={"state": "disabled"}, headers=tag(issued))
    rotated = api.post(f"{path}/rotate", params=dry, json={})
    deleted = api.delete(path, params=dry, headers=tag(issued))
    for answer in (created, edited, rotated, deleted):
        assert answer.status_code == 200, answer.text
        assert answer.json()["dry_run"] is True
        assert "secret" not in answer.text
    assert created.json()["before"] is None
    assert created.json()["after"]["principal"] == principal
    assert "id" not in created.json()["after"]
    assert (edited.json()["before"]["state"], edited.json()["after"]["state"]) == ("active", "disabled")
    assert (rotated.json()["before"]["expires_at"], rotated.json()["after"]["expires_at"] is None) == (None, False)
    assert deleted.json()["after"] is None
    assert api.get(path).json() == shown(issued)
    assert api.get("/access-keys", params={"principal": principal}).json()["items"] == []
    assert len(admin.events()) == lines


def test_a_dry_run_meets_the_refusals_of_the_change(api: httpx.Client) -> None:
    dry, issued = {"dry_run": "true"}, create(api)
    path = f"/access-keys/{issued['id']}"
    refused(api.patch(path, params=dry, json={}, headers={"If-Match": '"0"'}), 412, "changed")
    refused(api.patch(path, params=dry, json={}), 428, "precondition-required")
    refused(api.post("/access-keys", params=dry, json={"principal": " x"}), 422, "invalid")
    refused(api.delete("/access-keys/GWAKNONE", params=dry, headers={"If-Match": "*"}), 404, "not-found")


def test_a_dry_run_does_not_use_up_an_idempotency_key(api: httpx.Client) -> None:
    headers, body = {"Idempotency-Key": str(uuid4())}, {"principal": "team:one"}
    assert api.post("/access-keys?dry_run=true", json=body, headers=headers).status_code == 200
    assert api.post("/access-keys", json=body, headers=headers).status_code == 201


# --- pages -------------------------------------------------------------------------------------------------


def test_pages_give_each_key_once_and_in_order(api: httpx.Client) -> None:
    principal = f"team:{uuid4()}"
    ids = {create(api, principal=principal)["id"] for _ in range(7)}
    create(api, principal="team:somebody-else")
    seen: list[dict[str, Any]] = []
    sizes = []
    query = {"principal": principal, "limit": "3"}
    while True:
        page = api.get("/access-keys", params=query).json()
        seen += page["items"]
        sizes.append(len(page["items"]))
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert sizes == [3, 3, 1]
    assert {view["id"] for view in seen} == ids
    assert seen == sorted(seen, key=lambda view: (view["created_at"], view["id"]))


def test_a_full_last_page_has_no_next(api: httpx.Client) -> None:
    principal = f"team:{uuid4()}"
    for _ in range(2):
        create(api, principal=principal)
    page = api.get("/access-keys", params={"principal": principal, "limit": "2"}).json()
    assert (len(page["items"]), page["next_cursor"]) == (2, None)


def test_a_key_removed_between_two_pages_moves_none_of_the_others(api: httpx.Client) -> None:
    principal = f"team:{uuid4()}"
    for _ in range(4):
        create(api, principal=principal)
    query = {"principal": principal, "limit": "2"}
    first = api.get("/access-keys", params=query).json()
    api.delete(f"/access-keys/{first['items'][1]['id']}", headers={"If-Match": "*"})
    second = api.get("/access-keys", params={**query, "cursor": first["next_cursor"]}).json()
    assert len({view["id"] for view in first["items"] + second["items"]}) == 4
