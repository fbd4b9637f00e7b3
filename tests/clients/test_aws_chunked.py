"""Bodies as AWS's own SDKs send them in chunks: a stream with a checksum behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients.abilities import PROGRAMS
from tests.clients.programs.node import aws_sdk
from tests.support.names import EXAMPLE
from tests.support.site import MIB, Site, fresh_key, pattern

CONTENT = pattern(MIB + 77, seed=71)
MISSING = next(program.missing for program in PROGRAMS if program.name == "@aws-sdk/client-s3")


@pytest.mark.skipif(MISSING is not None, reason=MISSING or "")
async def test_a_file_as_a_stream_is_stored_without_its_chunks(
    gateway_site: Site, caller: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    key = fresh_key("clients/stream")
    aws_sdk.call(
        "upload_file",
        {"connection": caller, "bucket": [EXAMPLE.name, EXAMPLE.region], "key": key, "path": str(path)},
    )
    answer = await gateway_site.get(EXAMPLE, key)
    assert answer.body == CONTENT
    assert answer.header("content-encoding") is None
