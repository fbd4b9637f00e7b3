"""Secrets do not stay in what /proc shows of a process's environment."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.client_process import clean_environment

CHILD = """
import os
from pathlib import Path
from gateway.process.environ import hide_secret_variables
names = hide_secret_variables()
print(" ".join(sorted(names)))
print(Path("/proc/self/environ").read_bytes().decode().replace("\\0", " "))
print(os.environ["COSGW_MASTER_KEY"], os.environ["MADEUP_SECRET_KEY"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_secret_variables_are_overwritten_and_still_known_to_the_process() -> None:
    variables = {"COSGW_MASTER_KEY": "canary-one", "MADEUP_SECRET_KEY": "canary-two", "MADEUP_REGION": "ap-guangzhou"}
    said = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, env=clean_environment(**variables)
    ).stdout
    names, shown, kept = said.splitlines()
    assert names == "COSGW_MASTER_KEY MADEUP_SECRET_KEY"
    assert "canary" not in shown
    assert "MADEUP_REGION=ap-guangzhou" in shown
    assert kept == "canary-one canary-two"
