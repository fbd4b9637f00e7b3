"""Every S3 client does in front of Swift what it does in front of the embedded COS: the same tests, word for word."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from tests.clients.abilities import ABILITIES, PROGRAMS, Program
from tests.clients.test_every_client import (  # noqa: F401  # the promises, and the fixtures they name
    Call,
    large,
    processes,
    small,
    test_abort,
    test_copy_if_match,
    test_copy_parts,
    test_copy_version,
    test_delete,
    test_download,
    test_download_range,
    test_list_keys,
    test_presign,
    test_upload,
    test_upload_parts,
    test_upload_stream,
    test_wrong_key,
    unless_missing,
)
from tests.clients.test_every_client import ask as ask_at_once  # noqa: F401  # a fixture too
from tests.upstream_swift.deviations import LATER

S3_PROGRAMS = tuple(program for program in PROGRAMS if not program.name.startswith("cos"))
"""All but those that speak COS's own dialect, which Swift does not."""
QUICK = ("boto3", "rclone", "minio-py")
"""Those that a short run asks too."""


@pytest.fixture(
    params=[
        pytest.param(program, id=program.name, marks=() if program.name in QUICK else pytest.mark.slow)
        for program in S3_PROGRAMS
    ],
    scope="module",
)
def program(request: pytest.FixtureRequest) -> Program:
    return unless_missing(request.param)


@pytest.fixture
def ask(ask_at_once: Call, program: Program) -> Call:  # noqa: F811
    """As in front of the embedded COS, but what Swift dates a second ahead must not be ahead."""

    def call(ability: str, **arguments: Any) -> Any:
        if (program.name, ability) in LATER:
            now = time.time()
            time.sleep(math.ceil(now) - now + 0.05)
        return ask_at_once(ability, **arguments)

    return call


def test_what_is_asked_later_is_asked_of_clients_there_are() -> None:
    assert {name for name, _ in LATER} <= {program.name for program in S3_PROGRAMS}


def test_no_ability_is_left_out() -> None:
    assert {f"test_{ability}" for ability in ABILITIES} <= set(globals())
