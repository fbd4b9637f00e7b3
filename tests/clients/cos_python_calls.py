"""What a user's program does with cos-python-sdk-v5. Runs in a client process; see `tests.support.client_process`.

`connection` says how the SDK reaches the gateway: `{"mode": …, "port": …, "secret_id": …, "secret_key": …}`.
Refusals come back as `{"code": …, "status": …}` so that a test can assert them.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import requests
from qcloud_cos import CosConfig, CosS3Client, CosServiceError

from tests.support.names import GATEWAY_DOMAIN, Bucket

logging.getLogger("qcloud_cos").setLevel(logging.CRITICAL)


def connect(connection: dict[str, Any], region: str) -> CosS3Client:
    """An SDK client for buckets of a region, in one of the modes the guide describes."""
    keys = {"SecretId": connection["secret_id"], "SecretKey": connection["secret_key"], "Scheme": "http"}
    port = connection["port"]
    match connection["mode"]:
        case "endpoint":
            config = CosConfig(
                Endpoint=f"{GATEWAY_DOMAIN}:{port}", ServiceDomain=f"service.cos.{GATEWAY_DOMAIN}:{port}", **keys
            )
        case "ip":
            config = CosConfig(Region=region, IP="127.0.0.1", Port=port, **keys)
        case "proxy":
            config = CosConfig(Region=region, Proxies={"http": f"http://127.0.0.1:{port}"}, **keys)
        case mode:
            raise ValueError(mode)
    return CosS3Client(config)


def copy_source(connection: dict[str, Any], bucket: Bucket, key: str) -> dict[str, str]:
    """The CopySource a program of that mode writes."""
    if connection["mode"] == "endpoint":
        return {"Bucket": bucket.name, "Key": key, "Endpoint": f"{GATEWAY_DOMAIN}:{connection['port']}"}
    return {"Bucket": bucket.name, "Key": key, "Region": bucket.region}


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def refusal(error: CosServiceError) -> dict[str, Any]:
    return {
        "code": error.get_error_code(),
        "status": error.get_status_code(),
        "message": error.get_error_msg(),
        "request_id": error.get_request_id(),
    }


def put_and_get(connection: dict[str, Any], bucket: list[str], key: str, size: int) -> dict[str, Any]:
    """An object there and back; returns what each call reported."""
    at = Bucket(*bucket)
    client = connect(connection, at.region)
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    put = client.put_object(
        Bucket=at.name, Key=key, Body=body, ContentType="text/x-test", Metadata={"x-cos-meta-a": "1"}
    )
    got = client.get_object(Bucket=at.name, Key=key)
    head = client.head_object(Bucket=at.name, Key=key)
    ranged = client.get_object(Bucket=at.name, Key=key, Range="bytes=0-9")
    client.delete_object(Bucket=at.name, Key=key)
    return {
        "sent": digest(body),
        "received": digest(got["Body"].get_raw_stream().read()),
        "etag": put["ETag"],
        "length": head["Content-Length"],
        "content_type": head["Content-Type"],
        "meta": head["x-cos-meta-a"],
        "ranged": ranged["Body"].get_raw_stream().read().decode("latin-1"),
        "exists_after_delete": client.object_exists(Bucket=at.name, Key=key),
    }


def upload_and_download_file(connection: dict[str, Any], bucket: list[str], key: str, folder: str) -> dict[str, Any]:
    """The SDK's own transfer: a file in parts of 1 MiB by two threads there, and by ranges back."""
    at = Bucket(*bucket)
    client = connect(connection, at.region)
    there, back = Path(folder, "there"), Path(folder, "back")
    client.upload_file(Bucket=at.name, Key=key, LocalFilePath=str(there), PartSize=1, MAXThread=2, EnableMD5=True)
    client.download_file(Bucket=at.name, Key=key, DestFilePath=str(back), PartSize=1, MAXThread=2, EnableCRC=True)
    head = client.head_object(Bucket=at.name, Key=key)
    return {"same": there.read_bytes() == back.read_bytes(), "etag": head["ETag"]}


def put_stream(connection: dict[str, Any], bucket: list[str], key: str, pieces: list[str]) -> str:
    """A body of unknown length, which the SDK sends in chunks; returns what is stored."""
    at = Bucket(*bucket)
    client = connect(connection, at.region)
    client.put_object(Bucket=at.name, Key=key, Body=(piece.encode() for piece in pieces))
    return str(client.get_object(Bucket=at.name, Key=key)["Body"].get_raw_stream().read().decode())


def multipart_copy(
    connection: dict[str, Any], source: list[str], source_key: str, target: list[str], key: str, ranges: list[str]
) -> dict[str, Any]:
    """Upload Part - Copy for each range, then complete; returns the digest of what arrived."""
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
            CopySource=copy_source(connection, origin, source_key),
            CopySourceRange=byte_range,
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    listed = client.list_parts(Bucket=destination.name, Key=key, UploadId=upload_id)
    client.complete_multipart_upload(
        Bucket=destination.name, Key=key, UploadId=upload_id, MultipartUpload={"Part": parts}
    )
    body = client.get_object(Bucket=destination.name, Key=key)["Body"].get_raw_stream().read()
    return {
        "digest": digest(body),
        "listed": [part["ETag"] for part in listed["Part"]],
        "etags": [p["ETag"] for p in parts],
    }


def high_level_copy(
    connection: dict[str, Any], source: list[str], source_key: str, target: list[str], key: str, threshold: int
) -> str:
    """`client.copy`, which asks the source's size itself; returns the digest of the copy."""
    origin, destination = Bucket(*source), Bucket(*target)
    client = connect(connection, destination.region)
    client.get_conf().set_copy_part_threshold_size(threshold)
    named = copy_source(connection, origin, source_key)
    if connection["mode"] == "endpoint":
        # Naming the region makes the SDK see two endpoints, as it does for two regions of COS.
        named["Endpoint"] = f"cos.{origin.region}.{named['Endpoint']}"
    client.copy(Bucket=destination.name, Key=key, CopySource=named, PartSize=1, MAXThread=2)
    return digest(client.get_object(Bucket=destination.name, Key=key)["Body"].get_raw_stream().read())


def list_and_delete(connection: dict[str, Any], bucket: list[str], prefix: str, names: list[str]) -> dict[str, Any]:
    """Objects with these names are made, listed, deleted together and listed again."""
    at = Bucket(*bucket)
    client = connect(connection, at.region)
    for name in names:
        client.put_object(Bucket=at.name, Key=prefix + name, Body=name.encode())
    before = client.list_objects(Bucket=at.name, Prefix=prefix)
    doomed = {"Object": [{"Key": prefix + name} for name in names], "Quiet": "false"}
    deleted = client.delete_objects(Bucket=at.name, Delete=doomed)
    after = client.list_objects(Bucket=at.name, Prefix=prefix)
    return {
        "listed": [entry["Key"] for entry in before["Contents"]],
        "deleted": sorted(entry["Key"] for entry in deleted["Deleted"]),
        "left": after.get("Contents", []),
    }


def list_buckets(connection: dict[str, Any], region: str) -> list[str]:
    return [bucket["Name"] for bucket in connect(connection, region).list_buckets()["Buckets"]["Bucket"]]


def presigned(connection: dict[str, Any], bucket: list[str], key: str, body: str) -> dict[str, Any]:
    """PUT and GET with presigned URLs and a plain HTTP client; then the same URL for another object."""
    at = Bucket(*bucket)
    client = connect(connection, at.region)
    proxies = client.get_conf()._proxies

    def url(method: str) -> str:
        return str(client.get_presigned_url(Bucket=at.name, Key=key, Method=method, Expired=120))

    put = requests.put(url("PUT"), data=body.encode(), proxies=proxies, timeout=20)
    got = requests.get(url("GET"), proxies=proxies, timeout=20)
    other = requests.get(url("GET").replace(key, key + "-other"), proxies=proxies, timeout=20)
    return {"put": put.status_code, "got": got.text, "other": other.status_code}


def refused_put(connection: dict[str, Any], bucket: list[str], key: str) -> dict[str, Any]:
    """A PUT that must fail; returns how the SDK understood the refusal."""
    at = Bucket(*bucket)
    try:
        connect(connection, at.region).put_object(Bucket=at.name, Key=key, Body=b"x")
    except CosServiceError as error:
        return refusal(error)
    return {"code": "none", "status": 200}


def refused_part_copy(
    connection: dict[str, Any],
    source: list[str],
    source_key: str,
    target: list[str],
    key: str,
    conditions: dict[str, str],
) -> dict[str, Any]:
    """A part copy with conditions; returns how the SDK understood the refusal."""
    origin, destination = Bucket(*source), Bucket(*target)
    client = connect(connection, destination.region)
    upload_id = client.create_multipart_upload(Bucket=destination.name, Key=key)["UploadId"]
    try:
        client.upload_part_copy(
            Bucket=destination.name,
            Key=key,
            PartNumber=1,
            UploadId=upload_id,
            CopySource=copy_source(connection, origin, source_key),
            **conditions,
        )
    except CosServiceError as error:
        return refusal(error)
    finally:
        client.abort_multipart_upload(Bucket=destination.name, Key=key, UploadId=upload_id)
    return {"code": "none", "status": 200}
