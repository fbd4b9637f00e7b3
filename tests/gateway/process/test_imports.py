"""What a server leaves out is as if it were not installed; what is in use stays."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.process.imports import leave_out


def test_a_module_that_was_left_out_cannot_be_imported() -> None:
    program = (
        "import json, sys\nfrom gateway.process.imports import leave_out\nleave_out('rich', 'json')\n"
        "import structlog, json\nassert 'rich.console' not in sys.modules\nimport rich"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError")


def test_a_module_in_use_stays() -> None:
    leave_out("pytest")
    assert sys.modules["pytest"] is pytest
