"""For Python: the COS SDK, boto3, minio-py and s3fs."""

from __future__ import annotations

import textwrap
from urllib.parse import urlsplit

from gateway.cli.snippets.place import SAMPLE_KEY, has_bucket_names


def python_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For cos-python-sdk-v5."""
    parts = urlsplit(endpoint)
    if has_bucket_names(endpoint):
        way = f'Endpoint="{parts.netloc}"'
    elif parts.scheme == "https":
        way = f'IP="{parts.hostname}", Port={parts.port or 443}'
    else:
        way = f'Proxies={{"http": "{endpoint}"}}'
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


def minio_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For minio-py, the S3 way. What is too large for one copy it composes of parts."""
    parts = urlsplit(endpoint)
    return textwrap.dedent(f"""\
        from minio import Minio
        from minio.commonconfig import ComposeSource

        client = Minio(
            endpoint="{parts.netloc}", secure={parts.scheme == "https"}, region="{region}",
            access_key="{key_id}", secret_key="{secret}",
        )
        done = client.compose_object(
            bucket_name="{bucket}", object_name="films/film.mov",
            sources=[ComposeSource(bucket_name="{source}", object_name="{SAMPLE_KEY}")],
        )
        print(done.etag)
        """)


def s3fs_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For s3fs, the S3 way."""
    return textwrap.dedent(f"""\
        import s3fs

        files = s3fs.S3FileSystem(
            endpoint_url="{endpoint}", client_kwargs={{"region_name": "{region}"}},
            key="{key_id}", secret="{secret}",
            config_kwargs={{"s3": {{"addressing_style": "path"}}}},
        )
        files.copy("{source}/{SAMPLE_KEY}", "{bucket}/films/film.mov")
        """)
