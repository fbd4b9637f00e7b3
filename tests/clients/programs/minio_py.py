"""minio-py."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import minio
from minio.commonconfig import ComposeSource, CopySource

MIB = 1024**2


def version() -> str:
    return str(minio.__version__)


def connect(connection: dict[str, Any], bucket: list[str]) -> Any:
    return minio.Minio(
        endpoint=f"127.0.0.1:{connection['port']}",
        access_key=connection["secret_id"],
        secret_key=connection["secret_key"],
        secure=False,
        region=bucket[1],
    )


def upload(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).fput_object(bucket_name=bucket[0], object_name=key, file_path=path)


def upload_parts(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).fput_object(
        bucket_name=bucket[0], object_name=key, file_path=path, part_size=5 * MIB, num_parallel_uploads=2
    )


def upload_stream(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    with Path(path).open("rb") as stream:
        connect(connection, bucket).put_object(
            bucket_name=bucket[0], object_name=key, data=stream, length=-1, part_size=5 * MIB
        )


def download(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).fget_object(bucket_name=bucket[0], object_name=key, file_path=path)


def download_range(connection: dict[str, Any], bucket: list[str], key: str, path: str, first: int, last: int) -> None:
    answer = connect(connection, bucket).get_object(
        bucket_name=bucket[0], object_name=key, offset=first, length=last - first + 1
    )
    with contextlib.closing(answer):
        Path(path).write_bytes(answer.read())


def list_keys(connection: dict[str, Any], bucket: list[str], prefix: str) -> list[str]:
    found = connect(connection, bucket).list_objects(bucket_name=bucket[0], prefix=prefix, recursive=True)
    return [entry.object_name for entry in found]


def delete(connection: dict[str, Any], bucket: list[str], key: str) -> None:
    connect(connection, bucket).remove_object(bucket_name=bucket[0], object_name=key)


def presign(connection: dict[str, Any], bucket: list[str], key: str) -> str:
    return str(connect(connection, bucket).presigned_get_object(bucket_name=bucket[0], object_name=key))


def copy_parts(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str
) -> None:
    client = connect(connection, bucket)
    size = client.stat_object(bucket_name=source_bucket[0], object_name=source_key).size
    place = {"bucket_name": source_bucket[0], "object_name": source_key}
    halves = [
        ComposeSource(**place, offset=0, length=5 * MIB),
        ComposeSource(**place, offset=5 * MIB, length=size - 5 * MIB),
    ]
    client.compose_object(bucket_name=bucket[0], object_name=key, sources=halves)


def copy_if_match(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str, etag: str
) -> None:
    source = CopySource(bucket_name=source_bucket[0], object_name=source_key, match_etag=etag)
    connect(connection, bucket).copy_object(bucket_name=bucket[0], object_name=key, source=source)


def copy_version(
    connection: dict[str, Any],
    source_bucket: list[str],
    source_key: str,
    version_id: str,
    bucket: list[str],
    key: str,
) -> None:
    source = CopySource(bucket_name=source_bucket[0], object_name=source_key, version_id=version_id)
    connect(connection, bucket).copy_object(bucket_name=bucket[0], object_name=key, source=source)


class _Breaking(io.RawIOBase):
    """A stream that fails after its first part."""

    def __init__(self) -> None:
        self._left = 6 * MIB

    def read(self, size: int = -1) -> bytes:
        if self._left <= 0:
            raise OSError("the stream broke")
        taken = min(size, self._left)
        self._left -= taken
        return bytes(taken)


def abort(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    with contextlib.suppress(OSError):
        connect(connection, bucket).put_object(
            bucket_name=bucket[0], object_name=key, data=_Breaking(), length=-1, part_size=5 * MIB
        )
