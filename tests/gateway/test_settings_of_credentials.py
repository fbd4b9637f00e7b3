"""Settings of credentials that contradict one another, each said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import SettingsErrors, load_settings

ROLE = "assume_role: {credential: base, role_arn: 'qcs::cam::uin/1:roleName/x'}"
PAIR = "secret_id: AKIDx, secret_key: canary-secret"


def errors_of(folder: Path, text: str) -> list[str]:
    path = folder / "gateway.yaml"
    path.write_text(text)
    try:
        load_settings(path, environment={})
    except SettingsErrors as wrong:
        errors = [str(error).partition(": ")[2] for error in wrong.errors]
    else:
        errors = []
    assert "canary" not in str(errors)
    return errors


def credentials(*items: str) -> str:
    return "credentials:\n" + "".join(f"  - {{{item}}}\n" for item in items)


@pytest.mark.parametrize(
    "text",
    [
        credentials(f"name: base, account: 1, {PAIR}", f"name: role, account: 1, {ROLE}"),
        credentials("name: a, account: 1, environment: TENCENTCLOUD"),
        credentials("name: a, account: 1, metadata: {}"),
        credentials("name: a, account: 1, metadata: {role: cos-role}"),
        # The base may be in the store.
        credentials(f"name: role, account: 1, {ROLE}"),
        "tencent: {sts_endpoint: 'https://sts.internal.tencentcloudapi.com'}",
        "tencent: {sts_endpoint: 'http://127.0.0.1:9'}",
        "assignments:\n  - {credential: a, buckets: ['logs-*', b-1250000000], regions: [ap-guangzhou]}",
        "master_key: {transit: {address: 'https://vault:8200', key: k, wrapped_file: w, token_file: t}}",
    ],
)
def test_what_makes_sense_is_accepted(tmp_path: Path, text: str) -> None:
    assert errors_of(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (credentials("name: a, account: 1"), "credentials[0]: found no source, expected one of secret_id,"),
        (credentials(f"name: a, account: 1, {PAIR}, metadata: {{}}"), "found secret_id and metadata, expected one of"),
        (credentials(f"name: a, account: 1, {ROLE}, token: canary-t"), "credentials[0].token: found a value"),
        (credentials("name: a, account: 1, secret_id: AKIDx"), "found neither, expected one of secret_key"),
        (credentials(f"name: base, account: 1, {ROLE}"), "found 'base' made from itself"),
        (
            credentials(f"name: base, account: 1, {ROLE.replace('base', 'b')}", f"name: b, account: 1, {ROLE}"),
            "credentials[1]: found 'b' made from itself",
        ),
        (credentials("name: a, account: 1, environment: lower"), "expected the first part of variable names"),
        (credentials("name: a, account: 1, environment: COSGW"), "expected the first part of variable names"),
        (credentials("name: a, account: 1, metadata: {role: ../x}"), "expected a role name"),
        (
            credentials(f"name: a, account: 1, {ROLE[:-1]}, duration_seconds: 43201}}"),
            "duration_seconds: found '43201', expected at most 43200",
        ),
        ("tencent: {sts_endpoint: 'https://sts.example.com'}", "expected https://sts.tencentcloudapi.com"),
        ("tencent: {sts_endpoint: 'http://sts.tencentcloudapi.com'}", "expected https://sts.tencentcloudapi.com"),
        ("tencent: {sts_endpoint: 'https://sts.evil.tencentcloudapi.com.example'}", "expected https://sts."),
        ("tencent: {metadata_endpoint: 'http://169.254.169.254'}", "expected http://metadata.tencentyun.com"),
        ("tencent: {metadata_endpoint: 'http://metadata.tencentyun.com:81'}", "expected http://metadata."),
        ("environment: production\ntencent: {sts_endpoint: 'http://127.0.0.1:9'}", "expected https://sts."),
        ("environment: production\ntencent: {metadata_endpoint: 'http://localhost:9'}", "expected http://metadata."),
        ("assignments:\n  - {credential: a, buckets: ['']}", "assignments[0].buckets[0]: found ''"),
        (
            "master_key: {transit: {address: 'http://vault:8200', key: k, wrapped_file: w, token_file: t}}",
            "master_key.transit.address: found 'http://vault:8200', expected https",
        ),
        (
            "master_key:\n  file: m\n  transit: {address: 'https://v', key: k, wrapped_file: w, token_file: t}",
            "expected one of file, value and transit",
        ),
    ],
)
def test_what_does_not_is_said(tmp_path: Path, text: str, said: str) -> None:
    errors = errors_of(tmp_path, text)
    assert any(said in error for error in errors), errors
