"""A serving process imports what serving needs: memory that a library takes is taken for as long as it runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.gateway.cli.test_serve_command import get, ports, started

NOT_NEEDED = {"alembic", "asyncpg", "cryptography.x509", "emulator", "mako", "pygments", "rich.text", "sqlalchemy"}
"""Migrations, another database than the configured one, certificates nobody has, an embedded COS, colours."""

_IMPORTED = re.compile(r"^import time:.*\| +([\w.]+)$", re.MULTILINE)


@pytest.mark.parametrize("workers", [1, 2])
def test_serving_imports_nothing_it_has_no_use_for(folder: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    settings = folder / "gateway.yaml"
    upstream = 'upstream: {endpoint: "http://127.0.0.1:9"}'
    settings.write_text(settings.read_text().replace("embedded: {enabled: true}", upstream))
    with started(folder, "serve", "--config", "gateway.yaml", "--workers", str(workers)) as (_, printed):
        data, admin = ports(printed)
        assert get(admin, "/metrics").status == 200
        assert get(data, "/raw-1250000000/a").status == 403
        imported = set(_IMPORTED.findall((folder / "stderr").read_text()))
    assert {"uvloop", "gateway.pipeline", "gateway.stores.sqlite"} <= imported
    assert imported & NOT_NEEDED == set()
