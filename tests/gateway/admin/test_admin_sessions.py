"""Ending sessions: through the admin API, and by the command line here and there."""

from __future__ import annotations

import httpx
import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.stores.admin_tokens import Role
from tests.gateway.admin.asserting import refused
from tests.gateway.admin.conftest import Admin

SESSION = f"GWTK{'A' * 31}2"


def test_an_operator_ends_a_session_and_once_more(admin: Admin) -> None:
    with admin.client(Role.OPERATOR) as client:
        for ended_before in (False, True):
            answer = client.delete(f"/sessions/{SESSION}")
            assert (answer.status_code, answer.content) == (204, b"")
            change = admin.last_change()
            assert (change["action"], change["target"]) == ("sessions.end", SESSION)
            assert (change["before"]["ended"], change["after"]["ended"]) == (ended_before, True)


def test_a_viewer_ends_nothing(admin: Admin) -> None:
    with admin.client(Role.VIEWER) as client:
        refused(client.delete(f"/sessions/{SESSION}"), 403, "forbidden")


@pytest.mark.parametrize("session_id", ["GWTK", "GWAK" + "A" * 32, SESSION.lower(), SESSION + "A", "x", "%2e%2e"])
def test_what_is_no_sessions_id_is_refused(admin: Admin, api: httpx.Client, session_id: str) -> None:
    refused(api.delete(f"/sessions/{session_id}"), 422, "invalid")


def test_a_dry_run_ends_nothing(admin: Admin, api: httpx.Client) -> None:
    other = f"GWTK{'B' * 32}"
    answer = api.delete(f"/sessions/{other}", params={"dry_run": "true"})
    assert answer.status_code == 200
    assert answer.json()["before"] == {"id": other, "ended": False}
    assert other not in admin.gateway.services.watch.contents.revoked_sessions


def test_the_command_line_ends_a_session_at_a_running_gateway(admin: Admin) -> None:
    other = f"GWTK{'C' * 32}"
    done = CliRunner().invoke(
        app,
        ["sessions", "end", other, "--server", admin.gateway.admin_endpoint],
        env={"COSGW_ADMIN_TOKEN": admin.tokens[Role.OPERATOR]},
    )
    assert done.exit_code == 0, done.output
    assert other in admin.gateway.services.watch.contents.revoked_sessions


@pytest.mark.parametrize("arguments", [["sessions", "end"], ["sessions", "list"], ["sessions"]])
def test_the_command_line_offers_no_more(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
