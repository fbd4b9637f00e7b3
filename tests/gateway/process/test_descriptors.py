"""Connections never take the last descriptor."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import resource, sys
soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from gateway.process.descriptors import connections_possible, raise_limit
before = connections_possible(1000)
raise_limit()
print(before, connections_possible(1000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "said"),
    [
        pytest.param(256, 256, ["128", "128", "256"], id="half-when-scarce"),
        pytest.param(1024, 4096, ["512", "1000", "4096"], id="raised-to-the-hard-limit"),
        pytest.param(1511, 1511, ["999", "999", "1511"], id="one-short"),
        pytest.param(1512, 1512, ["1000", "1000", "1512"], id="just-enough"),
    ],
)
def test_connections_are_capped_by_the_descriptors_there_are(soft: int, hard: int, said: list[str]) -> None:
    command = [sys.executable, "-c", CHILD, str(soft), str(hard)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == said
