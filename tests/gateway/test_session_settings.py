"""The settings of sessions: what is refused before anything listens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Settings, SettingsErrors, load_settings

PROVIDER = {
    "name": "ci",
    "issuer": "https://issuer.example.com",
    "audiences": ["cos-gateway"],
    "jwks_url": "https://issuer.example.com/keys",
    "principals": {"repo:*": "team:ci"},
}


def load(folder: Path, **values: Any) -> Settings:
    path = folder / "gateway.yaml"
    path.write_text(json.dumps(values))
    return load_settings(path, environment={})


def test_no_sessions_are_issued_unless_there_is_a_port() -> None:
    assert Settings().sts.port is None


def test_a_provider_as_the_guide_shows_it(tmp_path: Path) -> None:
    settings = load(tmp_path, sts={"port": 0}, identity_providers=[PROVIDER])
    (provider,) = settings.identity_providers
    assert [algorithm.value for algorithm in provider.algorithms] == ["RS256", "ES256", "EdDSA"]
    assert provider.claim == "sub"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"jwks_url": "http://issuer.example.com/keys"}, "jwks_url"),
        ({"jwks_url": "ftp://issuer.example.com/keys"}, "jwks_url"),
        ({"jwks_url": "https://user:secret@issuer.example.com/keys"}, "jwks_url"),
        ({"jwks_url": "https://issuer.example.com/keys#x"}, "jwks_url"),
        ({"jwks_url": "https://issuer.example.com/a b"}, "jwks_url"),
        ({"jwks_url": "https://issuer.example.com:0/"}, "jwks_url"),
        ({"jwks_url": "/etc/keys.json"}, "jwks_url"),
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"audiences": []}, "audiences"),
        ({"audiences": [""]}, "audiences"),
        ({"audiences": None}, "audiences"),
        ({"principals": {}}, "principals"),
        ({"principals": {"": "team:ci"}}, "principals"),
        ({"principals": {"repo:*": ""}}, "principals"),
        ({"required_claims": {"owner": ""}}, "required_claims"),
        ({"issuer": ""}, "issuer"),
        ({"skew_seconds": 301}, "skew_seconds"),
        ({"skew_seconds": -1}, "skew_seconds"),
        ({"secret": "x"}, "secret"),
    ],
    ids=str,
)
def test_a_provider_that_cannot_be_trusted_is_refused(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsErrors) as caught:
        load(tmp_path, sts={"port": 0}, identity_providers=[{**PROVIDER, **changes}])
    assert f"identity_providers[0].{named}" in str(caught.value)


@pytest.mark.parametrize("changes", [{"name": "ci"}, {"issuer": PROVIDER["issuer"]}], ids=["name", "issuer"])
def test_two_providers_do_not_share_what_tells_them_apart(tmp_path: Path, changes: dict[str, Any]) -> None:
    other = {**PROVIDER, "name": "other", "issuer": "https://other.example.com", **changes}
    with pytest.raises(SettingsErrors, match="of its own"):
        load(tmp_path, sts={"port": 0}, identity_providers=[PROVIDER, other])


@pytest.mark.parametrize(
    "sts",
    [
        {"port": 8080},
        {"port": 8081},
        {"port": 70000},
        {"default_session_seconds": 59},
        {"max_session_seconds": 43_201},
        {"max_session_seconds": "1h"},
        {"unsafe": True},
    ],
    ids=str,
)
def test_an_sts_port_that_cannot_be_is_refused(tmp_path: Path, sts: dict[str, Any]) -> None:
    with pytest.raises(SettingsErrors, match="sts"):
        load(tmp_path, sts=sts)
