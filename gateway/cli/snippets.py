"""How to point a client at the gateway: text to paste, for the COS Python SDK, coscmd and boto3.

Each does the same: a multi-part copy inside the organisation. A gateway reached by an address has no bucket
names in DNS; COS clients then use it as an HTTP proxy, which keeps the real COS host names in their requests.
"""

from __future__ import annotations

import ipaddress
import textwrap
from collections.abc import Callable
from urllib.parse import urlsplit

SAMPLE_KEY = "incoming/film.mov"


def python_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For cos-python-sdk-v5."""
    parts = urlsplit(endpoint)
    way = f'Endpoint="{parts.netloc}"' if _has_bucket_names(endpoint) else f'Proxies={{"http": "{endpoint}"}}'
    return textwrap.dedent(f"""\
        from qcloud_cos import CosConfig, CosS3Client

        client = CosS3Client(CosConfig(
            Region="{region}", SecretId="{key_id}", SecretKey="{secret}",
            Scheme="{parts.scheme}", {way},
        ))
        origin = {{"Bucket": "{source}", "Key": "{SAMPLE_KEY}", "Region": "{region}"}}
        size = int(client.head_object(Bucket=origin["Bucket"], Key=origin["Key"])["Content-Length"])
        here = {{"Bucket": "{bucket}", "Key": "films/film.mov"}}
        upload = client.create_multipart_upload(**here)["UploadId"]
        parts, step = [], 64 * 1024**2
        for number, first in enumerate(range(0, size, step), start=1):
            copied = client.upload_part_copy(
                **here, PartNumber=number, UploadId=upload, CopySource=origin,
                CopySourceRange=f"bytes={{first}}-{{min(first + step, size) - 1}}",
            )
            parts.append({{"PartNumber": number, "ETag": copied["ETag"]}})
        print(client.complete_multipart_upload(**here, UploadId=upload, MultipartUpload={{"Part": parts}}))
        """)


def coscmd_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For coscmd, with a configuration file of its own."""
    parts = urlsplit(endpoint)
    named = _has_bucket_names(endpoint)
    way = f"-e {parts.netloc}" if named else f"-r {region}"
    proxy = "" if named else f"export http_proxy={endpoint}\n"
    plain = " --do-not-use-ssl" if parts.scheme == "http" else ""
    return (
        f"{proxy}"
        f"coscmd -c gateway.conf config -a {key_id} -s {secret} -b {bucket} {way}{plain}\n"
        f"coscmd -c gateway.conf copy {source}.cos.{region}.myqcloud.com/{SAMPLE_KEY} films/film.mov\n"
        f"coscmd -c gateway.conf list films/\n"
    )


def boto3_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For boto3, the S3 way."""
    return textwrap.dedent(f"""\
        import boto3
        from botocore.config import Config

        s3 = boto3.client(
            "s3", endpoint_url="{endpoint}", region_name="{region}",
            aws_access_key_id="{key_id}", aws_secret_access_key="{secret}",
            config=Config(
                s3={{"addressing_style": "path"}}, signature_version="s3v4",
                request_checksum_calculation="when_required", response_checksum_validation="when_required",
            ),
        )
        origin = {{"Bucket": "{source}", "Key": "{SAMPLE_KEY}"}}
        size = s3.head_object(**origin)["ContentLength"]
        here = {{"Bucket": "{bucket}", "Key": "films/film.mov"}}
        upload = s3.create_multipart_upload(**here)["UploadId"]
        parts, step = [], 64 * 1024**2
        for number, first in enumerate(range(0, size, step), start=1):
            copied = s3.upload_part_copy(
                **here, PartNumber=number, UploadId=upload, CopySource=origin,
                CopySourceRange=f"bytes={{first}}-{{min(first + step, size) - 1}}",
            )
            parts.append({{"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]}})
        print(s3.complete_multipart_upload(**here, UploadId=upload, MultipartUpload={{"Parts": parts}})["ETag"])
        """)


SNIPPETS: dict[str, Callable[..., str]] = {
    "python": python_snippet,
    "coscmd": coscmd_snippet,
    "boto3": boto3_snippet,
}
"""By the name that `cos-gateway env` takes."""


def _has_bucket_names(endpoint: str) -> bool:
    """Whether `<bucket>.<host>` can be looked up: not for addresses and localhost."""
    host = urlsplit(endpoint).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host != "localhost"
    return False
