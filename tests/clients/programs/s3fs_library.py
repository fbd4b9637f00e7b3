"""s3fs, the file system of fsspec (aiobotocore underneath)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import s3fs

MIB = 1024**2


def version() -> str:
    return str(s3fs.__version__)


def connect(connection: dict[str, Any], bucket: list[str], **options: Any) -> Any:
    return s3fs.S3FileSystem(
        endpoint_url=f"http://127.0.0.1:{connection['port']}",
        key=connection["secret_id"],
        secret=connection["secret_key"],
        client_kwargs={"region_name": bucket[1]},
        config_kwargs={"retries": {"max_attempts": 1}},
        skip_instance_cache=True,
        use_listings_cache=False,
        **options,
    )


def upload(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).put_file(path, f"{bucket[0]}/{key}")


def upload_parts(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).put_file(path, f"{bucket[0]}/{key}", chunksize=5 * MIB)


def upload_stream(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    with (
        connect(connection, bucket).open(f"{bucket[0]}/{key}", "wb", block_size=5 * MIB) as there,
        Path(path).open("rb") as here,
    ):
        while piece := here.read(700_001):
            there.write(piece)


def download(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).get_file(f"{bucket[0]}/{key}", path)


def download_range(connection: dict[str, Any], bucket: list[str], key: str, path: str, first: int, last: int) -> None:
    Path(path).write_bytes(connect(connection, bucket).cat_file(f"{bucket[0]}/{key}", start=first, end=last + 1))


def list_keys(connection: dict[str, Any], bucket: list[str], prefix: str) -> list[str]:
    found = connect(connection, bucket).find(f"{bucket[0]}/{prefix}")
    return [name.removeprefix(f"{bucket[0]}/") for name in found]


def delete(connection: dict[str, Any], bucket: list[str], key: str) -> None:
    connect(connection, bucket).rm(f"{bucket[0]}/{key}")


def presign(connection: dict[str, Any], bucket: list[str], key: str) -> str:
    return str(connect(connection, bucket).sign(f"{bucket[0]}/{key}", expiration=120))


def copy_parts(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str
) -> None:
    system = connect(connection, bucket)
    source = f"{source_bucket[0]}/{source_key}"
    s3fs.core.sync(
        system.loop, system._copy_managed, source, f"{bucket[0]}/{key}", system.info(source)["size"], block=5 * MIB
    )


def copy_if_match(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str, etag: str
) -> None:
    connect(connection, bucket).call_s3(
        "copy_object",
        Bucket=bucket[0],
        Key=key,
        CopySource={"Bucket": source_bucket[0], "Key": source_key},
        CopySourceIfMatch=etag,
    )


def copy_version(
    connection: dict[str, Any],
    source_bucket: list[str],
    source_key: str,
    version_id: str,
    bucket: list[str],
    key: str,
) -> None:
    system = connect(connection, bucket, version_aware=True)
    system.cp_file(f"{source_bucket[0]}/{source_key}?versionId={version_id}", f"{bucket[0]}/{key}")


def abort(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    there = connect(connection, bucket).open(f"{bucket[0]}/{key}", "wb", block_size=5 * MIB)
    there.write(Path(path).read_bytes())
    there.flush()
    there.discard()
