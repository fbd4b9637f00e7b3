"""Commands on the store of a running gateway, or at its admin port."""

from __future__ import annotations

import os
from pathlib import Path

from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.stores.admin_tokens import Role
from tests.gateway.admin.conftest import Admin

SECRET = "CanarySecretKeyOfTheCloud0000000011"
"""What is piped into every command."""


def run(admin: Admin, *arguments: str, local: bool, folder: Path, role: Role = Role.SECURITY) -> Result:
    """A command in this process, on the gateway's own store or at its admin port."""
    environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith("COSGW_")}
    if local:
        assert admin.settings.master_key.value is not None
        configuration = folder / "local.yaml"
        configuration.write_text(
            f"store: {{path: {admin.settings.store.path}}}\naudit: {{path: {admin.settings.audit.path}}}\n"
        )
        environment |= {
            "COSGW_CONFIG": str(configuration),
            "COSGW_MASTER_KEY": admin.settings.master_key.value.reveal(),
        }
    else:
        environment["COSGW_ADMIN_TOKEN"] = admin.tokens[role]
        arguments = (*arguments, "--server", admin.gateway.admin_endpoint)
    return CliRunner().invoke(app, arguments, input=SECRET + "\n", env=environment)
