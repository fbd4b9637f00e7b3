"""How to point a client at the gateway: text to paste. Each does the same copy inside the organisation.

A gateway reached by an address has no bucket names in DNS; COS clients then keep the real COS host names in their
requests and send them to the gateway all the same: as to an HTTP proxy, or as to COS's own address.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.cli.snippets.commands import (
    aws_snippet,
    coscli_snippet,
    coscmd_snippet,
    rclone_snippet,
    s3cmd_snippet,
    s5cmd_snippet,
)
from gateway.cli.snippets.programs import aws_js_snippet, go_snippet, java_snippet, node_snippet
from gateway.cli.snippets.python import boto3_snippet, minio_snippet, python_snippet, s3fs_snippet

__all__ = ["SNIPPETS", "boto3_snippet", "coscmd_snippet", "python_snippet"]

SNIPPETS: dict[str, Callable[..., str]] = {
    "python": python_snippet,
    "go": go_snippet,
    "java": java_snippet,
    "node": node_snippet,
    "coscmd": coscmd_snippet,
    "coscli": coscli_snippet,
    "boto3": boto3_snippet,
    "aws": aws_snippet,
    "aws-js": aws_js_snippet,
    "rclone": rclone_snippet,
    "s3cmd": s3cmd_snippet,
    "s5cmd": s5cmd_snippet,
    "minio": minio_snippet,
    "s3fs": s3fs_snippet,
}
"""By the name that `cos-gateway env` takes."""
