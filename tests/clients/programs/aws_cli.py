"""The AWS command-line interface."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.clients.programs.command import run

AWS = str(Path(sys.executable).with_name("aws"))
CONFIG = "[default]\ns3 =\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n  max_concurrent_requests = 2\n"


def version() -> str:
    return run([AWS, "--version"]).split()[0].partition("/")[2]


def aws(connection: dict[str, Any], bucket: list[str], *arguments: str, stdin: str | None = None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        config.write_text(CONFIG, encoding="utf-8")
        return run(
            [AWS, "--endpoint-url", f"http://127.0.0.1:{connection['port']}", "--region", bucket[1], *arguments],
            environment={
                "AWS_CONFIG_FILE": str(config),
                "AWS_ACCESS_KEY_ID": connection["secret_id"],
                "AWS_SECRET_ACCESS_KEY": connection["secret_key"],
                "AWS_MAX_ATTEMPTS": "1",
            },
            stdin=stdin,
        )


def upload(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    aws(connection, bucket, "s3api", "put-object", "--bucket", bucket[0], "--key", key, "--body", path)


def upload_parts(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    aws(connection, bucket, "s3", "cp", path, f"s3://{bucket[0]}/{key}")


def upload_stream(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    aws(connection, bucket, "s3", "cp", "-", f"s3://{bucket[0]}/{key}", stdin=path)


def download(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    aws(connection, bucket, "s3", "cp", f"s3://{bucket[0]}/{key}", path)


def download_range(connection: dict[str, Any], bucket: list[str], key: str, path: str, first: int, last: int) -> None:
    aws(
        connection, bucket, "s3api", "get-object", "--bucket", bucket[0], "--key", key,
        "--range", f"bytes={first}-{last}", path,
    )  # fmt: skip


def list_keys(connection: dict[str, Any], bucket: list[str], prefix: str) -> list[str]:
    found = aws(connection, bucket, "s3api", "list-objects-v2", "--bucket", bucket[0], "--prefix", prefix)
    return [entry["Key"] for entry in json.loads(found).get("Contents", [])]


def delete(connection: dict[str, Any], bucket: list[str], key: str) -> None:
    aws(connection, bucket, "s3", "rm", f"s3://{bucket[0]}/{key}")


def presign(connection: dict[str, Any], bucket: list[str], key: str) -> str:
    return aws(connection, bucket, "s3", "presign", f"s3://{bucket[0]}/{key}", "--expires-in", "120").strip()


def copy_parts(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str
) -> None:
    aws(connection, bucket, "s3", "cp", f"s3://{source_bucket[0]}/{source_key}", f"s3://{bucket[0]}/{key}")


def _copy(connection: dict[str, Any], source: str, bucket: list[str], key: str, *more: str) -> None:
    aws(connection, bucket, "s3api", "copy-object", "--bucket", bucket[0], "--key", key, "--copy-source", source, *more)


def copy_if_match(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str, etag: str
) -> None:
    _copy(connection, f"{source_bucket[0]}/{quote(source_key)}", bucket, key, "--copy-source-if-match", etag)


def copy_version(
    connection: dict[str, Any],
    source_bucket: list[str],
    source_key: str,
    version_id: str,
    bucket: list[str],
    key: str,
) -> None:
    _copy(connection, f"{source_bucket[0]}/{quote(source_key)}?versionId={version_id}", bucket, key)


def abort(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    place = ("--bucket", bucket[0], "--key", key)
    upload_id = json.loads(aws(connection, bucket, "s3api", "create-multipart-upload", *place))["UploadId"]
    named = (*place, "--upload-id", upload_id)
    aws(connection, bucket, "s3api", "upload-part", *named, "--part-number", "1", "--body", path)
    aws(connection, bucket, "s3api", "abort-multipart-upload", *named)
