"""What a user's program does with boto3 (SigV4, path style). Runs in a client process.

`connection` is `{"port": …, "secret_id": …, "secret_key": …}`. Refusals come back as `{"code": …, "status": …}`.
"""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.names import GATEWAY_DOMAIN, Bucket

MIB = 1024 * 1024


def connect(connection: dict[str, Any], region: str) -> Any:
    """An S3 client that addresses buckets in the path, or in the host name of the gateway's domain."""
    style = connection.get("style", "path")
    host = "127.0.0.1" if style == "path" else GATEWAY_DOMAIN
    return boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{connection['port']}",
        region_name=region,
        aws_access_key_id=connection["secret_id"],
        aws_secret_access_key=connection["secret_key"],
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": style},
            retries={"max_attempts": 1, "mode": "standard"},
            request_checksum_calculation=connection.get("checksums", "when_required"),
            response_checksum_validation=connection.get("checksums", "when_required"),
        ),
    )


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def put_and_get(connection: dict[str, Any], bucket: list[str], key: str, size: int) -> dict[str, Any]:
    at = Bucket(*bucket)
    client = connect(connection, at.region)
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    put = client.put_object(Bucket=at.name, Key=key, Body=body, ContentType="text/x-test", Metadata={"a": "1"})
    got = client.get_object(Bucket=at.name, Key=key)
    head = client.head_object(Bucket=at.name, Key=key)
    ranged = client.get_object(Bucket=at.name, Key=key, Range="bytes=0-9")["Body"].read()
    client.delete_object(Bucket=at.name, Key=key)
    return {
        "sent": digest(body),
        "received": digest(got["Body"].read()),
        "same_etag": put["ETag"] == head["ETag"],
        "length": head["ContentLength"],
        "content_type": head["ContentType"],
        "meta": head["Metadata"],
        "ranged": len(ranged),
    }


def multipart_copy(
    connection: dict[str, Any], source: list[str], source_key: str, target: list[str], key: str, ranges: list[str]
) -> dict[str, Any]:
    origin, destination = Bucket(*source), Bucket(*target)
    client = connect(connection, destination.region)
    upload_id = client.create_multipart_upload(Bucket=destination.name, Key=key)["UploadId"]
    parts = []
    for number, byte_range in enumerate(ranges, start=1):
        answer = client.upload_part_copy(
            Bucket=destination.name,
            Key=key,
            PartNumber=number,
            UploadId=upload_id,
            CopySource={"Bucket": origin.name, "Key": source_key},
            CopySourceRange=byte_range,
        )
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    listed = client.list_parts(Bucket=destination.name, Key=key, UploadId=upload_id)["Parts"]
    client.complete_multipart_upload(
        Bucket=destination.name, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
    )
    body = client.get_object(Bucket=destination.name, Key=key)["Body"].read()
    return {"digest": digest(body), "listed": [part["ETag"] for part in listed], "etags": [p["ETag"] for p in parts]}


def copy_object(connection: dict[str, Any], source: list[str], source_key: str, target: list[str], key: str) -> str:
    origin, destination = Bucket(*source), Bucket(*target)
    client = connect(connection, destination.region)
    client.copy_object(Bucket=destination.name, Key=key, CopySource={"Bucket": origin.name, "Key": source_key})
    return digest(client.get_object(Bucket=destination.name, Key=key)["Body"].read())


def list_and_delete(connection: dict[str, Any], bucket: list[str], prefix: str, names: list[str]) -> dict[str, Any]:
    at = Bucket(*bucket)
    client = connect(connection, at.region)
    for name in names:
        client.put_object(Bucket=at.name, Key=prefix + name, Body=name.encode())
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=at.name, Prefix=prefix, PaginationConfig={"PageSize": 2}
    )
    listed = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    for name in names:
        client.delete_object(Bucket=at.name, Key=prefix + name)
    left = client.list_objects_v2(Bucket=at.name, Prefix=prefix)["KeyCount"]
    return {
        "listed": listed,
        "left": left,
        "old": client.list_objects(Bucket=at.name, Prefix=prefix).get("Contents", []),
    }


def upload_and_download_file(connection: dict[str, Any], bucket: list[str], key: str, folder: str) -> dict[str, Any]:
    """The transfer manager: a file in parts of 5 MiB there, and by ranges back."""
    at = Bucket(*bucket)
    client = connect(connection, at.region)
    there, back = Path(folder, "there"), Path(folder, "back")
    parts = TransferConfig(multipart_threshold=MIB, multipart_chunksize=5 * MIB, max_concurrency=2)
    client.upload_file(str(there), at.name, key, Config=parts)
    client.download_file(at.name, key, str(back), Config=parts)
    return {
        "same": there.read_bytes() == back.read_bytes(),
        "etag": client.head_object(Bucket=at.name, Key=key)["ETag"],
    }


def delete_together(connection: dict[str, Any], bucket: list[str], prefix: str, names: list[str]) -> dict[str, Any]:
    """Objects are made and deleted with one DeleteObjects."""
    at = Bucket(*bucket)
    client = connect(connection, at.region)
    for name in names:
        client.put_object(Bucket=at.name, Key=prefix + name, Body=b"x")
    answer = client.delete_objects(Bucket=at.name, Delete={"Objects": [{"Key": prefix + name} for name in names]})
    left = client.list_objects_v2(Bucket=at.name, Prefix=prefix)["KeyCount"]
    return {"deleted": sorted(entry["Key"] for entry in answer["Deleted"]), "left": left}


def list_buckets(connection: dict[str, Any], region: str) -> list[str]:
    return [bucket["Name"] for bucket in connect(connection, region).list_buckets()["Buckets"]]


def presigned_get(connection: dict[str, Any], bucket: list[str], key: str, body: str) -> str:
    at = Bucket(*bucket)
    client = connect(connection, at.region)
    client.put_object(Bucket=at.name, Key=key, Body=body.encode())
    url = client.generate_presigned_url("get_object", Params={"Bucket": at.name, "Key": key}, ExpiresIn=120)
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def refused(connection: dict[str, Any], bucket: list[str], operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """One call that must fail; returns how boto3 understood the refusal."""
    at = Bucket(*bucket)
    try:
        getattr(connect(connection, at.region), operation)(Bucket=at.name, **arguments)
    except ClientError as error:
        return {
            "code": error.response["Error"]["Code"],
            "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
        }
    return {"code": "none", "status": 200}
