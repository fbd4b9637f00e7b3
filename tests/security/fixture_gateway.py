"""The corpus's callers, buckets and policy in the product's own words, in front of a recording upstream."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from gateway.app import Gateway
from gateway.app import running as running_gateway
from gateway.settings import Settings
from gateway.telemetry import configure_logging
from tests.security.recording_upstream import RecordingUpstream, recording_upstream

CORPUS = Path(__file__).parent / "corpus"
FIXTURE: Mapping[str, Any] = json.loads((CORPUS / "attack-fixture.json").read_text(encoding="utf-8"))
HEADER_SECONDS = 1.5
"""Deadline for a request head: the promise is 10 s, the tests do not wait so long."""
POLICY = """\
version: 1
description: What the attack corpus assumes
statements:
  - id: alice-objects
    effect: allow
    principals: ["app:alice"]
    actions:
      - cos:GetObject
      - cos:HeadObject
      - cos:PutObject
      - cos:DeleteObject
      - cos:DeleteMultipleObjects
      - cos:InitiateMultipartUpload
      - cos:UploadPart
      - cos:ListParts
      - cos:CompleteMultipartUpload
      - cos:AbortMultipartUpload
    resource: {bucket: [dst-1250000000, dst2-1250000000], key: "up/*"}
  - id: alice-parts
    effect: allow
    principals: ["app:alice"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: src-1250000000, key: ["public/*", "needrange/*"]}
    destination: {bucket: [dst-1250000000, dst2-1250000000], key: "up/*"}
    when:
      same_region: true
      range: {required: true, min: 1MiB, max: 5GiB, small_last_part: deny}
  - id: alice-pinned-parts
    effect: allow
    principals: ["app:alice"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: src-1250000000, key: "needmatch/*"}
    destination: {bucket: [dst-1250000000, dst2-1250000000], key: "up/*"}
    when:
      same_region: true
      range: {required: true, min: 1MiB, max: 5GiB, small_last_part: deny}
      source_conditions: {require_any: [if-match], exact_etag: true}
  - id: alice-parts-from-beijing
    effect: allow
    principals: ["app:alice"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: xok-1250000000, key: "public/*"}
    destination: {bucket: [dst-1250000000, dst2-1250000000], key: "up/*"}
    when:
      regions:
        pairs: [[ap-beijing, ap-guangzhou]]
      range: {required: true, min: 1MiB, max: 1GiB, small_last_part: deny}
  - id: alice-whole-objects
    effect: allow
    principals: ["app:alice"]
    actions: ["cos:PutObjectCopy"]
    source: {bucket: src-1250000000, key: "public/*"}
    destination: {bucket: [dst-1250000000, dst2-1250000000], key: "up/*"}
    when:
      same_region: true
  - id: bob-objects
    effect: allow
    principals: ["app:bob"]
    actions:
      - cos:GetObject
      - cos:HeadObject
      - cos:PutObject
      - cos:DeleteObject
      - cos:InitiateMultipartUpload
      - cos:UploadPart
      - cos:CompleteMultipartUpload
      - cos:AbortMultipartUpload
    resource: {bucket: bob-1250000000, key: "*"}
  - id: bob-copies
    effect: allow
    principals: ["app:bob"]
    actions: ["cos:UploadPartCopy", "cos:PutObjectCopy"]
    source: {bucket: bob-1250000000, key: "*"}
    destination: {bucket: bob-1250000000, key: "*"}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A running gateway, the upstream behind it, and everything it wrote down."""

    gateway: Gateway
    upstream: RecordingUpstream
    log: io.BytesIO
    audit: Path

    @property
    def port(self) -> int:
        return self.gateway.data_port

    def written(self) -> bytes:
        """Every byte of the log and the audit log."""
        return self.log.getvalue() + self.audit.read_bytes()


def fixture_settings(endpoint: str, folder: Path, **groups: Mapping[str, Any]) -> Settings:
    """Settings for the corpus; `groups` overlay single values: `data={"max_in_flight": 3}`."""
    policy = folder / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    states: dict[str, Mapping[str, Any]] = {
        "alice": {},
        "bob": {},
        "revoked": {"state": "disabled"},
        "expired": {"expires_at": datetime.now(UTC) - timedelta(hours=1)},
    }
    values: dict[str, Any] = {
        "data": {"port": 0, "header_timeout_seconds": HEADER_SECONDS},
        "admin": {"port": 0},
        "upstream": {"endpoint": endpoint},
        "store": {"path": folder / "gateway.db"},
        "audit": {"path": folder / "audit.jsonl", "durability": "process"},
        "policies": {"paths": [policy]},
        "buckets": [{"name": name, "region": region} for name, region in FIXTURE["buckets"].items()],
        "credentials": [
            {
                "name": "upstream",
                "account": "1250000000",
                "secret_id": FIXTURE["upstream"]["ak"],
                "secret_key": FIXTURE["upstream"]["sk"],
            }
        ],
        "keys": [
            {
                "id": FIXTURE["keys"][name]["ak"],
                "secret": FIXTURE["keys"][name]["sk"],
                "principal": f"app:{name}",
                **state,
            }
            for name, state in states.items()
        ],
    }
    for group, changes in groups.items():
        values[group] = {**values.get(group, {}), **changes}
    return Settings.model_validate(values)


@asynccontextmanager
async def running_site(folder: Path, *, log_level: str = "debug", **groups: Mapping[str, Any]) -> AsyncIterator[Site]:
    """The gateway as it is in production but for short deadlines, its log kept in memory."""
    log = io.BytesIO()
    kept, sys.stderr = sys.stderr, io.TextIOWrapper(log, write_through=True)
    try:
        configure_logging(level=log_level, json=True)
        # uvicorn and asyncio have loggers of their own: what they say counts as well.
        async with recording_upstream() as upstream:
            settings = fixture_settings(upstream.endpoint, folder, **groups)
            async with running_gateway(settings) as gateway:
                yield Site(gateway, upstream, log, settings.audit.path)
                await asyncio.sleep(0)
    finally:
        sys.stderr = kept
        structlog.reset_defaults()
