"""rclone, configured by environment variables as a container would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.clients.programs.command import run


def version() -> str:
    return run(["rclone", "version"]).split()[1].removeprefix("v")


def rclone(connection: dict[str, Any], bucket: list[str], *arguments: str, stdin: str | None = None) -> str:
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": f"http://127.0.0.1:{connection['port']}",
        "REGION": bucket[1],
        "ACCESS_KEY_ID": connection["secret_id"],
        "SECRET_ACCESS_KEY": connection["secret_key"],
        "FORCE_PATH_STYLE": "true",
        # Buckets exist: without this rclone asks whether it should create them.
        "NO_CHECK_BUCKET": "true",
        "CHUNK_SIZE": "5Mi",
        "UPLOAD_CUTOFF": "5Mi",
        "COPY_CUTOFF": "5Mi",
    }
    environment = {f"RCLONE_CONFIG_GW_{name}": value for name, value in settings.items()}
    return run(
        ["rclone", "--config", "", "--retries", "1", "--low-level-retries", "1", *arguments],
        environment=environment,
        stdin=stdin,
    )


def upload(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    rclone(connection, bucket, "copyto", path, f"gw:{bucket[0]}/{key}")


upload_parts = upload


def upload_stream(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    rclone(connection, bucket, "rcat", f"gw:{bucket[0]}/{key}", stdin=path)


def download(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    rclone(connection, bucket, "copyto", f"gw:{bucket[0]}/{key}", path)


def download_range(connection: dict[str, Any], bucket: list[str], key: str, path: str, first: int, last: int) -> None:
    place = f"gw:{bucket[0]}/{key}"
    content = rclone(connection, bucket, "cat", "--offset", str(first), "--count", str(last - first + 1), place)
    Path(path).write_bytes(content.encode())


def list_keys(connection: dict[str, Any], bucket: list[str], prefix: str) -> list[str]:
    found = rclone(connection, bucket, "lsf", "--recursive", "--files-only", f"gw:{bucket[0]}/{prefix.rstrip('/')}")
    return [prefix + name for name in found.splitlines()]


def delete(connection: dict[str, Any], bucket: list[str], key: str) -> None:
    rclone(connection, bucket, "deletefile", f"gw:{bucket[0]}/{key}")


def presign(connection: dict[str, Any], bucket: list[str], key: str) -> str:
    return rclone(connection, bucket, "link", "--expire", "2m", f"gw:{bucket[0]}/{key}").strip()


def copy_parts(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str
) -> None:
    rclone(connection, bucket, "copyto", f"gw:{source_bucket[0]}/{source_key}", f"gw:{bucket[0]}/{key}")


def abort(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    rclone(connection, bucket, "backend", "cleanup", "-o", "max-age=0s", f"gw:{bucket[0]}")
