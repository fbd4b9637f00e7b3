"""The Node.js clients: one script for each SDK, one process for each call."""

from __future__ import annotations

import json
from typing import Any

from tests.clients.programs.command import run
from tests.support.client_process import ROOT

NODE = ROOT / "var" / "clients" / "node"


class NodeProgram:
    """The abilities of `tests/clients/node/<script>`, by the names of its exported functions."""

    def __init__(self, script: str, package: str) -> None:
        self._script = script
        self._package = package

    def version(self) -> str:
        manifest = NODE / "node_modules" / self._package / "package.json"
        return str(json.loads(manifest.read_text(encoding="utf-8"))["version"])

    def call(self, ability: str, arguments: dict[str, Any]) -> Any:
        """Raises RuntimeError with what the script printed."""
        asked = json.dumps({"package": self._package, "ability": ability, "arguments": arguments})
        # Modules are looked up beside the script: it runs from where the packages are installed.
        script = NODE / self._script
        source = (ROOT / "tests" / "clients" / "node" / self._script).read_text(encoding="utf-8")
        if not script.exists() or script.read_text(encoding="utf-8") != source:
            script.write_text(source, encoding="utf-8")
        return json.loads(run(["node", str(script), asked]) or "null")

    def __getattr__(self, ability: str) -> Any:
        return lambda **arguments: self.call(ability, arguments)


cos_nodejs_3 = NodeProgram("cos.mjs", "cos-nodejs-sdk-v5")
cos_nodejs_2 = NodeProgram("cos.mjs", "cos-nodejs-sdk-v5-2")
aws_sdk = NodeProgram("aws.mjs", "@aws-sdk/client-s3")
