"""s3cmd, path style: `host_bucket` without a place for the bucket. It signs URLs with Signature Version 2 only."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.clients.programs.command import run


def version() -> str:
    return run(["s3cmd", "--version"]).split()[-1]


def s3cmd(connection: dict[str, Any], bucket: list[str], *arguments: str, stdin: str | None = None) -> str:
    host = f"127.0.0.1:{connection['port']}"
    settings = (
        f"[default]\naccess_key = {connection['secret_id']}\nsecret_key = {connection['secret_key']}\n"
        f"host_base = {host}\nhost_bucket = {host}\nbucket_location = {bucket[1]}\nuse_https = False\n"
        "multipart_chunk_size_mb = 5\nmultipart_copy_chunk_size_mb = 5\nmax_retries = 1\n"
        f"signature_v2 = {bool(connection.get('sigv2'))}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "s3cfg"
        config.write_text(settings, encoding="utf-8")
        return run(["s3cmd", "-c", str(config), "--no-progress", *arguments], stdin=stdin)


def upload(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    s3cmd(connection, bucket, "put", path, f"s3://{bucket[0]}/{key}")


upload_parts = upload


def upload_stream(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    s3cmd(connection, bucket, "put", "-", f"s3://{bucket[0]}/{key}", stdin=path)


def download(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    s3cmd(connection, bucket, "get", "--force", f"s3://{bucket[0]}/{key}", path)


def list_keys(connection: dict[str, Any], bucket: list[str], prefix: str) -> list[str]:
    found = s3cmd(connection, bucket, "ls", "--recursive", f"s3://{bucket[0]}/{prefix}")
    return [line.partition(f"s3://{bucket[0]}/")[2] for line in found.splitlines()]


def delete(connection: dict[str, Any], bucket: list[str], key: str) -> None:
    s3cmd(connection, bucket, "del", f"s3://{bucket[0]}/{key}")


def presign(connection: dict[str, Any], bucket: list[str], key: str) -> str:
    return s3cmd(connection, bucket, "signurl", f"s3://{bucket[0]}/{key}", "+300").strip()


def copy_parts(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str
) -> None:
    s3cmd(connection, bucket, "cp", f"s3://{source_bucket[0]}/{source_key}", f"s3://{bucket[0]}/{key}")


def abort(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    listed = s3cmd(connection, bucket, "multipart", f"s3://{bucket[0]}")
    for line in listed.splitlines():
        place, _, upload_id = line.partition("\t")[2].partition("\t")
        if place == f"s3://{bucket[0]}/{key}":
            s3cmd(connection, bucket, "abortmp", place, upload_id)
