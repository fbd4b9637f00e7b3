"""boto3 with its defaults: SigV4, checksums in headers; with Signature Version 2 where the connection says so."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

MIB = 1024**2
PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=2)


def version() -> str:
    return str(boto3.__version__)


def connect(connection: dict[str, Any], bucket: list[str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{connection['port']}",
        region_name=bucket[1],
        aws_access_key_id=connection["secret_id"],
        aws_secret_access_key=connection["secret_key"],
        config=Config(retries={"max_attempts": 1}, signature_version="s3" if connection.get("sigv2") else None),
    )


class Unseekable(io.RawIOBase):
    """A stream that tells neither its length nor its position."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115  # closed with this object

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()
        super().close()


def upload(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).put_object(Bucket=bucket[0], Key=key, Body=Path(path).read_bytes())


def upload_parts(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).upload_file(path, bucket[0], key, Config=PARTS)


def upload_stream(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    with Unseekable(path) as stream:
        connect(connection, bucket).upload_fileobj(stream, bucket[0], key, Config=PARTS)


def download(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).download_file(bucket[0], key, path)


def download_range(connection: dict[str, Any], bucket: list[str], key: str, path: str, first: int, last: int) -> None:
    got = connect(connection, bucket).get_object(Bucket=bucket[0], Key=key, Range=f"bytes={first}-{last}")
    Path(path).write_bytes(got["Body"].read())


def list_keys(connection: dict[str, Any], bucket: list[str], prefix: str) -> list[str]:
    pages = connect(connection, bucket).get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=bucket[0], Prefix=prefix, PaginationConfig={"PageSize": 2})
    return [entry["Key"] for page in found for entry in page.get("Contents", [])]


def delete(connection: dict[str, Any], bucket: list[str], key: str) -> None:
    answer = connect(connection, bucket).delete_objects(Bucket=bucket[0], Delete={"Objects": [{"Key": key}]})
    assert [entry["Key"] for entry in answer["Deleted"]] == [key]


def presign(connection: dict[str, Any], bucket: list[str], key: str) -> str:
    client = connect(connection, bucket)
    return str(client.generate_presigned_url("get_object", Params={"Bucket": bucket[0], "Key": key}, ExpiresIn=120))


def copy_parts(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str
) -> None:
    source = {"Bucket": source_bucket[0], "Key": source_key}
    connect(connection, bucket).copy(source, bucket[0], key, Config=PARTS)


def copy_if_match(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str, etag: str
) -> None:
    source = {"Bucket": source_bucket[0], "Key": source_key}
    connect(connection, bucket).copy_object(Bucket=bucket[0], Key=key, CopySource=source, CopySourceIfMatch=etag)


def copy_version(
    connection: dict[str, Any],
    source_bucket: list[str],
    source_key: str,
    version_id: str,
    bucket: list[str],
    key: str,
) -> None:
    source = {"Bucket": source_bucket[0], "Key": source_key, "VersionId": version_id}
    connect(connection, bucket).copy_object(Bucket=bucket[0], Key=key, CopySource=source)


def abort(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    client = connect(connection, bucket)
    upload_id = client.create_multipart_upload(Bucket=bucket[0], Key=key)["UploadId"]
    client.upload_part(Bucket=bucket[0], Key=key, PartNumber=1, UploadId=upload_id, Body=Path(path).read_bytes())
    client.abort_multipart_upload(Bucket=bucket[0], Key=key, UploadId=upload_id)
