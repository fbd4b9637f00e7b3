"""Objects as boto3 reads and writes them: overwritten while they are read, versions, what presigned URLs are good for.

Source: AWS, S3 API, "GetObject", "PutObject", "CopyObject", "DeleteObjects"; the questions of suites for S3 services.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.names import CALLER_KEY, EXAMPLE, VERSIONED
from tests.support.site import MIB, Site, fresh_key

BUCKET = EXAMPLE.name


def connect(site: Site, **options: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{site.port}",
        region_name=EXAMPLE.region,
        aws_access_key_id=CALLER_KEY.secret_id,
        aws_secret_access_key=CALLER_KEY.secret_key,
        config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, **options),
    )


@pytest.fixture(scope="module")
def s3(gateway_site: Site) -> Iterator[Any]:
    client = connect(gateway_site)
    yield client
    client.close()


def refusal(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_a_read_that_has_begun_sees_one_object(s3: Any) -> None:
    key = fresh_key("atomic")
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"A" * 8 * MIB)
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"]
    first = body.read(1000)
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"B" * 8 * MIB)
    assert set(first + body.read()) == {ord("A")}
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"]
    first = body.read(10)
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert set(first + body.read()) == {ord("B")}


def test_what_is_said_of_an_object_comes_back(s3: Any) -> None:
    key, said = fresh_key("said"), {
        "ContentType": "text/x", "CacheControl": "max-age=5", "ContentDisposition": "attachment",
        "ContentLanguage": "de", "ContentEncoding": "gzip", "Metadata": {"a-b": "Mixed Case"},
        "StorageClass": "STANDARD_IA",
    }  # fmt: skip
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"x", **said)
    for answer in (s3.head_object(Bucket=BUCKET, Key=key), s3.get_object(Bucket=BUCKET, Key=key)):
        assert {name: answer[name] for name in said} == said
    s3.copy_object(
        Bucket=BUCKET, Key=key, CopySource=f"{BUCKET}/{key}", MetadataDirective="REPLACE", Metadata={"c": "d"}
    )
    assert s3.head_object(Bucket=BUCKET, Key=key)["Metadata"] == {"c": "d"}


def test_nobody_without_a_key_gets_anything(s3: Any, gateway_site: Site) -> None:
    key = fresh_key("private")
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"x", ACL="public-read")
    nobody = connect(gateway_site, signature_version=UNSIGNED)
    assert refusal(nobody.get_object, Bucket=BUCKET, Key=key) == (403, "AccessDenied")
    assert refusal(nobody.list_objects_v2, Bucket=BUCKET) == (403, "AccessDenied")
    # The first upload waits to be asked for its body, and is not; the next request must not be taken for it.
    for _ in range(3):
        assert refusal(nobody.put_object, Bucket=BUCKET, Key=key, Body=b"y") == (403, "AccessDenied")
        assert refusal(nobody.delete_object, Bucket=BUCKET, Key=key) == (403, "AccessDenied")
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"x"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_is_kept_to(s3: Any, algorithm: str) -> None:
    key = fresh_key("checked")
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"hello", ChecksumAlgorithm=algorithm)
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    assert refusal(s3.put_object, Bucket=BUCKET, Key=key, Body=b"x", ChecksumSHA256=wrong) == (400, "BadDigest")
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"hello"


@pytest.mark.parametrize(
    ("content_md5", "code"),
    [("rL0Y20xC+Fzt72VPzMSk2A==", "BadDigest"), ("YWJyYWNhZGFicmE=", "InvalidDigest"), ("bad", "InvalidDigest")],
)
def test_a_wrong_md5_stores_nothing(s3: Any, content_md5: str, code: str) -> None:
    key = fresh_key("checked")
    assert refusal(s3.put_object, Bucket=BUCKET, Key=key, Body=b"x", ContentMD5=content_md5) == (400, code)
    assert refusal(s3.head_object, Bucket=BUCKET, Key=key) == (404, "404")


def test_a_batch_deletes_what_is_there_and_what_is_not(s3: Any) -> None:
    keys = [fresh_key("batch") for _ in range(3)]
    s3.put_object(Bucket=BUCKET, Key=keys[0], Body=b"x")
    listed = [{"Key": key} for key in keys]
    assert [entry["Key"] for entry in s3.delete_objects(Bucket=BUCKET, Delete={"Objects": listed})["Deleted"]] == keys
    assert "Deleted" not in s3.delete_objects(Bucket=BUCKET, Delete={"Objects": listed, "Quiet": True})
    many = [{"Key": str(number)} for number in range(1001)]
    assert refusal(s3.delete_objects, Bucket=BUCKET, Delete={"Objects": many}) == (400, "MalformedXML")


def test_a_delete_marker_is_told_as_one(s3: Any) -> None:
    name, key = VERSIONED.name, fresh_key("marked")
    version = s3.put_object(Bucket=name, Key=key, Body=b"1")["VersionId"]
    deleted = s3.delete_object(Bucket=name, Key=key)
    assert deleted["DeleteMarker"] is True
    marker = deleted["VersionId"]
    assert refusal(s3.get_object, Bucket=name, Key=key) == (404, "NoSuchKey")
    assert refusal(s3.get_object, Bucket=name, Key=key, VersionId=marker) == (405, "MethodNotAllowed")
    assert s3.get_object(Bucket=name, Key=key, VersionId=version)["Body"].read() == b"1"
    copied = s3.copy_object(Bucket=name, Key=f"{key}-2", CopySource={"Bucket": name, "Key": key, "VersionId": version})
    assert (copied["CopySourceVersionId"], bool(copied["VersionId"])) == (version, True)
    both = [{"Key": key, "VersionId": version}, {"Key": key, "VersionId": marker}]
    removed = s3.delete_objects(Bucket=name, Delete={"Objects": both})["Deleted"]
    assert [entry.get("DeleteMarker", False) for entry in removed] == [False, True]
    assert refusal(s3.get_object, Bucket=name, Key=key, VersionId=version) == (404, "NoSuchVersion")


def test_a_part_is_downloaded_by_its_number(s3: Any) -> None:
    key = fresh_key("parts")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    parts = []
    for number, body in ((1, b"a" * MIB), (2, b"b")):
        made = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": made["ETag"]})
    for _ in range(2):
        done = s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
        assert done["ETag"].endswith('-2"')
    second = s3.get_object(Bucket=BUCKET, Key=key, PartNumber=2)
    assert (second["PartsCount"], second["ContentRange"], second["Body"].read()) == (
        2,
        f"bytes {MIB}-{MIB}/{MIB + 1}",
        b"b",
    )
    assert refusal(s3.get_object, Bucket=BUCKET, Key=key, PartNumber=3) == (400, "InvalidPart")
