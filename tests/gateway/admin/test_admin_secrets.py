"""Secrets planted as canaries: none is found where it does not belong."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from pathlib import Path

import httpx
import pytest

from gateway.app import running as running_gateway
from tests.gateway.admin.conftest import NOWHERE, Admin, issue_tokens
from tests.support.gateway_server import gateway_settings
from tests.support.servers import in_background

CANARY = "canary-7be1-key-of-the-cloud-000000001"
NEXT = "canary-7be1-key-of-the-cloud-000000002"


def spellings(secret: str) -> list[bytes]:
    """A secret as it could lie in a file: plain, hexadecimal, base64 at each of its three alignments."""
    raw = secret.encode()
    aligned = [base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
    return [raw, raw.hex().encode(), *aligned]


def test_no_answer_log_or_file_holds_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = gateway_settings(NOWHERE, tmp_path)
    tokens = asyncio.run(issue_tokens(settings))
    secrets = [CANARY, NEXT, *(token[20:] for token in tokens.values())]
    told: list[bytes] = []

    def tell(answer: httpx.Response, *, hidden: tuple[str, ...] = ()) -> httpx.Response:
        """Keep an answer, without the members that show a secret on purpose."""
        headers = str(answer.headers).encode()
        if hidden:
            body = answer.json()
            for name in hidden:
                secrets.append(body[name])
                body[name] = None
            told.append(headers + json.dumps(body).encode())
        else:
            told.append(headers + answer.content)
        return answer

    with in_background(running_gateway(settings)) as gateway:
        admin = Admin(gateway, settings, tmp_path, tokens)
        with admin.client() as api:
            pair = {"secret_id": "AKIDexampleexample0001", "secret_key": CANARY}
            body = {"name": "main", "account": "1251111111", **pair}
            tell(api.post("/credentials?dry_run=true", json=body))
            tell(api.post("/credentials", json=body, headers={"Idempotency-Key": "one"}))
            tell(api.post("/credentials", json=body, headers={"Idempotency-Key": "one"}))
            tell(api.post("/credentials", json=body))
            tell(api.post("/credentials", json={**body, "name": CANARY + "/"}))
            tell(api.post("/credentials", json={**body, "extra": NEXT}))
            tell(api.post("/credentials", content=json.dumps(body)[:-1], headers={"Content-Type": "application/json"}))
            tell(api.post("/credentials/main/versions", json={**pair, "secret_key": NEXT}))
            tell(api.post("/credentials/main/versions/2/activate"))
            issued = tell(api.post("/access-keys", json={"principal": "p"}), hidden=("secret",)).json()
            made = tell(api.post("/admin-tokens", json={"name": "x", "role": "viewer"}), hidden=("token",)).json()
            secrets[-1] = secrets[-1][20:]
            for path in (
                "/access-keys", f"/access-keys/{issued['id']}", "/credentials", "/credentials/main", "/admin-tokens",
                f"/admin-tokens/{made['id']}", "/whoami", "/policies", "/buckets", "/openapi.json",
            ):  # fmt: skip
                tell(api.get(path))
            for line in admin.events():
                if "request_id" in line:
                    tell(api.get("/audit/events", params={"id": line["request_id"]}))
            tell(api.delete(f"/access-keys/{issued['id']}", headers={"If-Match": "*"}))
            tell(httpx.get(f"{gateway.admin_endpoint}/metrics"))
            tell(httpx.get(f"{gateway.admin_endpoint}/readyz?verbose"))
        with admin.client(None, Authorization=f"Bearer {tokens[next(iter(tokens))]}x", address="127.0.0.51") as wrong:
            tell(wrong.get("/whoami"))
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    output = capfd.readouterr()
    places = {
        **files,
        "answers": b"\n".join(told),
        "log": caplog.text.encode(),
        "output": (output.out + output.err).encode(),
    }
    assert {"gateway.db", "gateway.db-wal", "audit.jsonl"} <= set(places)
    # The control: what is not secret can be found, in the same places.
    assert any(issued["id"].encode() in content for content in files.values())
    assert issued["id"].encode() in places["answers"]
    for name, content in places.items():
        for secret in secrets:
            found = [spelling for spelling in spellings(secret) if spelling in content]
            assert not found, f"{name} holds a secret"


def test_the_master_key_protects_what_the_api_stored(admin: Admin, api: httpx.Client) -> None:
    body = {"name": "sealed", "account": "1251111111", "secret_id": "AKIDexample", "secret_key": CANARY}
    assert api.post("/credentials", json=body).status_code == 201
    assert admin.gateway.services.credentials is not None
    for path in admin.folder.glob("gateway.db*"):
        assert CANARY.encode() not in path.read_bytes()
