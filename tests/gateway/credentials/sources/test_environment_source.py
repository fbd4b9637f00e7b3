"""A credential in the variables of the process."""

from __future__ import annotations

import pytest

from gateway.credentials.sources.source import SourceFailed
from tests.gateway.credentials.sources.surroundings import source_beside

PAIR = {"TENCENTCLOUD_SECRET_ID": "AKIDenv", "TENCENTCLOUD_SECRET_KEY": "canary-env"}


@pytest.mark.parametrize("token", [None, "token-env"])
async def test_variables_are_a_credential(token: str | None) -> None:
    variables = PAIR if token is None else {**PAIR, "TENCENTCLOUD_SESSION_TOKEN": token}
    async with source_beside("http://127.0.0.1:9", variables=variables, environment="TENCENTCLOUD") as source:
        obtained = await source.obtain()
    assert (obtained.secret_id, obtained.secret_key.reveal()) == ("AKIDenv", "canary-env")
    assert (obtained.token.reveal() if obtained.token else None) == token
    assert obtained.lifetime_seconds is None
    assert "canary" not in f"{source!r} {obtained!r}"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "TENCENTCLOUD_SECRET_ID is not set"),
        ({**PAIR, "TENCENTCLOUD_SECRET_ID": ""}, "TENCENTCLOUD_SECRET_ID is not set"),
        ({"TENCENTCLOUD_SECRET_ID": "AKIDenv"}, "TENCENTCLOUD_SECRET_KEY is not set"),
        ({**PAIR, "TENCENTCLOUD_SECRET_KEY": "canary env"}, "usable TENCENTCLOUD_SECRET_KEY"),
        ({**PAIR, "TENCENTCLOUD_SECRET_KEY": "canary\nenv"}, "usable TENCENTCLOUD_SECRET_KEY"),
    ],
)
async def test_a_variable_that_is_missing_or_broken_is_named(variables: dict[str, str], named: str) -> None:
    async with source_beside("http://127.0.0.1:9", variables=variables, environment="TENCENTCLOUD") as source:
        with pytest.raises(SourceFailed, match=named) as refusal:
            await source.obtain()
    assert "canary" not in str(refusal.value)
