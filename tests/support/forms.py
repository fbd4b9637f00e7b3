"""Form uploads as browsers and programs send them, signed without the product's code.

Source: COS API, "POST Object" (436/14690); AWS, S3 API, "Browser-Based Uploads Using POST".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.support.names import Key

BOUNDARY = "----WebKitFormBoundary9JtEhEGHSdx8Patg"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def render(
    fields: Sequence[tuple[str, str]],
    content: bytes,
    *,
    file_name: str = "photo.jpg",
    after: Sequence[tuple[str, str]] = (),
    end: bytes = b"--\r\n",
) -> bytes:
    """The body: `fields`, the file, and `after` behind it, where nothing may be."""
    body = b"".join(_field(name, value) for name, value in fields)
    body += (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    body += content + b"\r\n" + b"".join(_field(name, value) for name, value in after)
    return body + f"--{BOUNDARY}".encode() + end


def _field(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def expiration(seconds: int = 600) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def cos_fields(key: Key, conditions: Sequence[Any], *, expires: str | None = None) -> list[tuple[str, str]]:
    """The fields that sign a COS form with these conditions."""
    now = int(time.time())
    key_time = f"{now};{now + 600}"
    policy = json.dumps(
        {
            "expiration": expires or expiration(),
            "conditions": [
                *conditions,
                {"q-sign-algorithm": "sha1"},
                {"q-ak": key.secret_id},
                {"q-sign-time": key_time},
            ],
        }
    ).encode()
    sign_key = hmac.new(key.secret_key.encode(), key_time.encode(), hashlib.sha1).hexdigest()
    signature = hmac.new(sign_key.encode(), hashlib.sha1(policy).hexdigest().encode(), hashlib.sha1).hexdigest()
    return [
        ("policy", base64.b64encode(policy).decode()),
        ("q-sign-algorithm", "sha1"),
        ("q-ak", key.secret_id),
        ("q-key-time", key_time),
        ("q-signature", signature),
    ]


def old_s3_fields(key: Key, conditions: Sequence[Any], *, expires: str | None = None) -> list[tuple[str, str]]:
    """The fields that sign an S3 form with Signature Version 2."""
    policy = base64.b64encode(
        json.dumps({"expiration": expires or expiration(), "conditions": list(conditions)}).encode()
    )
    signature = base64.b64encode(hmac.digest(key.secret_key.encode(), policy, "sha1")).decode()
    return [("AWSAccessKeyId", key.secret_id), ("policy", policy.decode()), ("signature", signature)]


def s3_fields(
    key: Key, conditions: Sequence[Any], *, region: str = "ap-shanghai", expires: str | None = None
) -> list[tuple[str, str]]:
    """The fields that sign an S3 form with these conditions."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    credential = f"{key.secret_id}/{moment[:8]}/{region}/s3/aws4_request"
    signed = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": credential, "x-amz-date": moment}
    policy = base64.b64encode(
        json.dumps(
            {
                "expiration": expires or expiration(),
                "conditions": [*conditions, *({name: value} for name, value in signed.items())],
            }
        ).encode()
    )
    secret = b"AWS4" + key.secret_key.encode()
    for part in (moment[:8], region, "s3", "aws4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, policy, hashlib.sha256).hexdigest()
    return [("policy", policy.decode()), *signed.items(), ("x-amz-signature", signature)]
