"""cos-python-sdk-v5 with the gateway as its HTTP proxy: host names stay COS's own."""

from __future__ import annotations

import io
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from qcloud_cos import CosConfig, CosS3Client

MIB = 1024**2


def version() -> str:
    return installed("cos-python-sdk-v5")


def connect(connection: dict[str, Any], bucket: list[str]) -> Any:
    config = CosConfig(
        Region=bucket[1],
        SecretId=connection["secret_id"],
        SecretKey=connection["secret_key"],
        Scheme="http",
        Proxies={"http": f"http://127.0.0.1:{connection['port']}"},
    )
    return CosS3Client(config, retry=0)


def source_of(bucket: list[str], key: str, version_id: str | None = None) -> dict[str, str]:
    named = {"Bucket": bucket[0], "Region": bucket[1], "Key": key}
    return {**named, "VersionId": version_id} if version_id is not None else named


def upload(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).put_object(Bucket=bucket[0], Key=key, Body=Path(path).read_bytes())


def upload_parts(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).upload_file(Bucket=bucket[0], Key=key, LocalFilePath=path, PartSize=1, MAXThread=2)


def upload_stream(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    def pieces() -> Any:
        with Path(path).open("rb") as file:
            while piece := file.read(70_001):
                yield piece

    connect(connection, bucket).put_object(Bucket=bucket[0], Key=key, Body=pieces())


def download(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    connect(connection, bucket).download_file(Bucket=bucket[0], Key=key, DestFilePath=path, PartSize=1, MAXThread=2)


def download_range(connection: dict[str, Any], bucket: list[str], key: str, path: str, first: int, last: int) -> None:
    got = connect(connection, bucket).get_object(Bucket=bucket[0], Key=key, Range=f"bytes={first}-{last}")
    got["Body"].get_stream_to_file(path)


def list_keys(connection: dict[str, Any], bucket: list[str], prefix: str) -> list[str]:
    keys: list[str] = []
    marker = ""
    while True:
        page = connect(connection, bucket).list_objects(Bucket=bucket[0], Prefix=prefix, MaxKeys=2, Marker=marker)
        keys += [entry["Key"] for entry in page.get("Contents", [])]
        if page["IsTruncated"] == "false":
            return keys
        marker = page["NextMarker"]


def delete(connection: dict[str, Any], bucket: list[str], key: str) -> None:
    connect(connection, bucket).delete_objects(Bucket=bucket[0], Delete={"Object": [{"Key": key}]})


def presign(connection: dict[str, Any], bucket: list[str], key: str) -> str:
    return str(connect(connection, bucket).get_presigned_url(Method="GET", Bucket=bucket[0], Key=key, Expired=120))


def copy_parts(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str
) -> None:
    client = connect(connection, bucket)
    client.get_conf().set_copy_part_threshold_size(5 * MIB)
    client.copy(Bucket=bucket[0], Key=key, CopySource=source_of(source_bucket, source_key), PartSize=5, MAXThread=2)


def copy_if_match(
    connection: dict[str, Any], source_bucket: list[str], source_key: str, bucket: list[str], key: str, etag: str
) -> None:
    connect(connection, bucket).copy_object(
        Bucket=bucket[0],
        Key=key,
        CopySource=source_of(source_bucket, source_key),
        CopyStatus="Copy",
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
    connect(connection, bucket).copy_object(
        Bucket=bucket[0], Key=key, CopySource=source_of(source_bucket, source_key, version_id), CopyStatus="Copy"
    )


def abort(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    client = connect(connection, bucket)
    upload_id = client.create_multipart_upload(Bucket=bucket[0], Key=key)["UploadId"]
    part = io.BytesIO(Path(path).read_bytes())
    client.upload_part(Bucket=bucket[0], Key=key, Body=part, PartNumber=1, UploadId=upload_id)
    client.abort_multipart_upload(Bucket=bucket[0], Key=key, UploadId=upload_id)
