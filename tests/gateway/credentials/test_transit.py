"""A master key that never lies on this machine in clear: Vault's Transit engine unwraps it at the start."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app import running as running_gateway
from gateway.configuration.credentials import TransitSettings
from gateway.credential_services import key_service_of, open_master_keys
from gateway.credentials.changes import Author, Terms
from gateway.credentials.credential_administration import CredentialSecret
from gateway.credentials.key_service import add_wrapped_key, read_wrapped_keys
from gateway.credentials.master_key import MasterKeyError
from gateway.secret import Secret
from gateway.settings import Settings
from tests.support.gateway_server import gateway_settings
from tests.support.small_server import SmallServer, Told, small_server
from tests.support.vault_transit import TOKEN, VaultTransit


def transit_settings(server: SmallServer, folder: Path, **changes: Any) -> TransitSettings:
    token = folder / "vault.token"
    if not token.exists():
        token.touch(mode=0o600)
        token.write_text(f"{TOKEN}\n")
    return TransitSettings.model_validate(
        {
            "address": server.url,
            "key": "cos-gateway",
            "wrapped_file": folder / "master.wrapped",
            "token_file": token,
            **changes,
        }
    )


def settings_with(transit: TransitSettings) -> Settings:
    return Settings.model_validate({"master_key": {"transit": transit}})


async def make_key(transit: TransitSettings) -> str:
    async with key_service_of(transit) as service:
        return (await add_wrapped_key(service, transit.wrapped_file)).id


async def test_a_key_that_was_wrapped_is_the_one_that_is_unwrapped(tmp_path: Path) -> None:
    async with small_server(VaultTransit()) as server:
        transit = transit_settings(server, tmp_path)
        first = await make_key(transit)
        assert [key.id for key in await open_master_keys(settings_with(transit))] == [first]
        second = await make_key(transit)
        # The current one first, the old one still opens.
        assert [key.id for key in await open_master_keys(settings_with(transit))] == [second, first]
    assert transit.wrapped_file.stat().st_mode & 0o777 == 0o600
    assert all(line.startswith("vault:v1:") for line in read_wrapped_keys(transit.wrapped_file))


async def test_the_namespace_goes_along(tmp_path: Path) -> None:
    async with small_server(VaultTransit(namespace="team")) as server:
        await make_key(transit_settings(server, tmp_path, namespace="team"))
        with pytest.raises(MasterKeyError, match="403"):
            await make_key(transit_settings(server, tmp_path))


async def test_a_gateway_starts_with_it_and_seals_by_it(tmp_path: Path) -> None:
    async with small_server(VaultTransit()) as server:
        transit = transit_settings(server, tmp_path)
        key_id = await make_key(transit)
        usual = gateway_settings("http://127.0.0.1:9", tmp_path)
        settings = usual.model_copy(
            update={"master_key": usual.master_key.model_copy(update={"value": None, "transit": transit})}
        )
        for attempt in range(2):
            async with running_gateway(settings) as gateway:
                assert gateway.services.vault.master_key_ids == (key_id,)
                if attempt == 0:
                    pair = CredentialSecret("AKIDmain", Secret("canary-main-secret"))
                    await gateway.services.administration.credentials.add("main", "1", pair, Terms(Author("tests")))
                else:
                    opened = gateway.services.credentials.open_named("main")
                    assert opened.secret_key.reveal() == "canary-main-secret"


def other_key(transit: VaultTransit) -> None:
    transit.key = VaultTransit().key


def sealed(transit: VaultTransit) -> None:
    transit.sealed = True


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(other_key, "400, it does not know the key"), (sealed, "503, it is sealed")],
    ids=["another key", "sealed"],
)
async def test_a_vault_that_cannot_unwrap_says_why(
    tmp_path: Path, spoil: Callable[[VaultTransit], None], reason: str
) -> None:
    vault = VaultTransit()
    async with small_server(vault) as server:
        transit = transit_settings(server, tmp_path)
        await make_key(transit)
        spoil(vault)
        with pytest.raises(MasterKeyError, match=reason):
            await open_master_keys(settings_with(transit))


async def test_a_token_that_is_not_allowed_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "vault.token").touch(mode=0o600)
    (tmp_path / "vault.token").write_text("hvs.canary-other-token")
    async with small_server(VaultTransit()) as server:
        with pytest.raises(MasterKeyError, match="403, the token may not do this") as refusal:
            await make_key(transit_settings(server, tmp_path))
    assert "canary" not in str(refusal.value)
    assert not (tmp_path / "master.wrapped").exists()


async def test_a_token_file_others_can_read_is_refused(tmp_path: Path) -> None:
    async with small_server(VaultTransit()) as server:
        transit = transit_settings(server, tmp_path)
        transit.token_file.chmod(0o644)
        with pytest.raises(MasterKeyError, match="0644"):
            await make_key(transit)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "without a plaintext"),
        (b"<html>", "without a plaintext"),
        (b'{"data": {}}', "without a plaintext"),
        (b'{"data": {"plaintext": "%%"}}', "not base64"),
        (b'{"data": {"plaintext": ""}}', "Expected a master key"),
        (b'{"data": {"plaintext": "' + base64.b64encode(b"short") + b'"}}', "32 random bytes"),
        (b'{"data": {"plaintext": "' + base64.b64encode(b"a" * 32) + b'"}}', "refused: it repeats one byte"),
    ],
)
async def test_an_answer_that_is_no_master_key_is_refused(tmp_path: Path, body: bytes, reason: str) -> None:
    async with small_server(VaultTransit()) as server:
        transit = transit_settings(server, tmp_path)
        await make_key(transit)
        server.answer = lambda _: Told(body)
        with pytest.raises(MasterKeyError, match=reason):
            await open_master_keys(settings_with(transit))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "got 0"),
        (b"\xff\xfe", "binary data"),
        (b"vault:v1:AAAA\n" * 17, "got 17"),
        (b"AAAA", "Expected a wrapped key like"),
        (b"vault:v1:../../x", "Expected a wrapped key like"),
    ],
)
async def test_a_file_that_holds_no_wrapped_key_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    async with small_server(VaultTransit()) as server:
        transit = transit_settings(server, tmp_path)
        if content is not None:
            transit.wrapped_file.write_bytes(content)
        with pytest.raises(MasterKeyError, match=reason):
            await open_master_keys(settings_with(transit))
    assert server.asked == []
