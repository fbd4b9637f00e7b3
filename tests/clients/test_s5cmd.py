"""s5cmd beyond what every client is asked: whole copies between regions, many objects at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.clients.abilities import PROGRAMS
from tests.support.client_process import ClientFailed, ClientProcess, client_process
from tests.support.names import EXAMPLE, FARAWAY, FOREIGN, SERVER_KEY
from tests.support.site import Site, fresh_key

PROGRAM = next(program for program in PROGRAMS if program.name == "s5cmd")
HERE = [EXAMPLE.name, EXAMPLE.region]
pytestmark = pytest.mark.skipif(PROGRAM.missing is not None, reason=str(PROGRAM.missing))


@pytest.fixture(scope="module")
def process() -> Iterator[ClientProcess]:
    with client_process(PROGRAM.python) as process:
        yield process


@pytest.fixture
def behind(gateway_site: Site) -> Site:
    return replace(gateway_site, client=replace(gateway_site.client, port=gateway_site.emulator.port, key=SERVER_KEY))


def ask(process: ClientProcess, ability: str, connection: dict[str, Any], **arguments: Any) -> Any:
    return process.call(f"{PROGRAM.module}:{ability}", connection=connection, **arguments)


async def test_an_object_is_copied_from_another_region(
    process: ClientProcess, caller: dict[str, Any], behind: Site
) -> None:
    # A space it would write as `+`, as AWS reads it; in COS a `+` is a `+`.
    source_key = await behind.seed(FARAWAY, b"content", stem="s5cmd/目录/a+b~")
    key = fresh_key("s5cmd/copied")
    far = [FARAWAY.name, FARAWAY.region]
    ask(process, "copy", caller, source_bucket=far, source_key=source_key, bucket=HERE, key=key)
    assert (await behind.get(EXAMPLE, key)).body == b"content"


async def test_a_bucket_that_is_not_ours_cannot_be_copied_from(
    process: ClientProcess, caller: dict[str, Any], behind: Site
) -> None:
    key = fresh_key("s5cmd/refused")
    with pytest.raises(ClientFailed, match="AccessDenied"):
        ask(process, "copy", caller, source_bucket=[FOREIGN.name, ""], source_key="k", bucket=HERE, key=key)
    assert (await behind.head(EXAMPLE, key)).status == 404


async def test_everything_under_a_prefix_is_removed_at_once(
    process: ClientProcess, caller: dict[str, Any], behind: Site
) -> None:
    prefix = fresh_key("s5cmd/removed") + "/"
    for number in range(12):
        await behind.seed(EXAMPLE, b"x", key=f"{prefix}目录/{number} +")
    ask(process, "delete_all", caller, bucket=HERE, prefix=prefix)
    assert ask(process, "list_keys", caller, bucket=HERE, prefix=fresh_key("s5cmd/removed").rpartition("-")[0]) == []
