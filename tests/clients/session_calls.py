"""What a program with a temporary key does, with cos-python-sdk-v5 and with boto3. Runs in a client process."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from qcloud_cos import CosConfig, CosS3Client


def cos_python(port: int, key: dict[str, str], bucket: str, region: str) -> str:
    """Put and get through the SDK, and get by an URL of its making."""
    client = CosS3Client(
        CosConfig(
            Region=region, SecretId=key["TmpSecretId"], SecretKey=key["TmpSecretKey"], Token=key["Token"],
            Scheme="http", Proxies={"http": f"http://127.0.0.1:{port}"},
        )
    )  # fmt: skip
    client.put_object(Bucket=bucket, Key="temporary/python", Body=b"by a temporary key")
    upload = client.create_multipart_upload(Bucket=bucket, Key="temporary/parts")["UploadId"]
    client.abort_multipart_upload(Bucket=bucket, Key="temporary/parts", UploadId=upload)
    body: bytes = client.get_object(Bucket=bucket, Key="temporary/python")["Body"].get_raw_stream().read()
    return body.decode()


def with_boto3(port: int, key: dict[str, str], bucket: str, region: str) -> str:
    """The same with boto3."""
    client: Any = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name=region,
        aws_access_key_id=key["TmpSecretId"], aws_secret_access_key=key["TmpSecretKey"],
        aws_session_token=key["Token"],
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )  # fmt: skip
    client.put_object(Bucket=bucket, Key="temporary/boto3", Body=b"by a temporary key")
    return str(client.get_object(Bucket=bucket, Key="temporary/boto3")["Body"].read().decode())


def presigned_by_boto3(port: int, key: dict[str, str], bucket: str, region: str) -> str:
    """A URL that carries the token."""
    client: Any = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name=region,
        aws_access_key_id=key["TmpSecretId"], aws_secret_access_key=key["TmpSecretKey"],
        aws_session_token=key["Token"],
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )  # fmt: skip
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "temporary/boto3"}, ExpiresIn=60)
    return str(url)


def ask_with_cos_python(sts_port: int, secret_id: str, secret_key: str) -> dict[str, Any]:
    """Ask for a session with the SDK's own signer, as docs/sessions.md shows it."""
    import hashlib

    import requests
    from qcloud_cos.cos_auth import CosS3Auth

    conf = CosConfig(Region="ap-guangzhou", SecretId=secret_id, SecretKey=secret_key, Scheme="http")
    body = b'{"DurationSeconds": 900}'
    url = f"http://127.0.0.1:{sts_port}/v1/session"
    answer = requests.post(
        url, data=body, headers={"x-cos-content-sha256": hashlib.sha256(body).hexdigest()},
        auth=CosS3Auth(conf, "v1/session", {}), timeout=10,
    )  # fmt: skip
    answer.raise_for_status()
    issued: dict[str, Any] = answer.json()
    return issued
