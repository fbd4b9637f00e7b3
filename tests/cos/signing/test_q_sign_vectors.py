"""Signatures made by the published SDKs, compared step by step, so that a failure names the step.

Vectors: tests/vectors/cos-sign-vectors.json. Header values in them are UTF-8 on the wire.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from cos.address import Level
from cos.errors import COSError
from cos.request import Request, read_request
from cos.signing import Carrier, Scheme, check_coverage, q_sign, read_claim, verify
from cos.signing.encoding import decode_name

_FILE = Path(__file__).parents[2] / "vectors" / "cos-sign-vectors.json"
_DOCUMENT = json.loads(_FILE.read_text(encoding="utf-8"))
_POSITIVE = [pytest.param(vector, id=vector["id"]) for vector in _DOCUMENT["vectors"]]
_NEGATIVE = [pytest.param(vector, id=vector["id"]) for vector in _DOCUMENT["negative"]]

_LEVELS = {"py.svc.list_buckets": Level.SERVICE, "java.resolver.service": Level.SERVICE}
_SIGNS_TOO_LITTLE = {"py.presign.nohost"}


def _request(vector: dict[str, Any]) -> Request:
    headers = [(name.encode(), value.encode()) for name, value in vector["headers"]]
    in_header = vector.get("kind", "header") == "header"
    if in_header and all(name.lower() != b"authorization" for name, _ in headers):
        headers.append((b"Authorization", vector["authorization"].encode()))
    return read_request(vector["method"], vector["request_target"].encode(), headers)


def test_the_file_holds_every_vector() -> None:
    assert (len(_POSITIVE), len(_NEGATIVE)) == (57, 9)


@pytest.mark.parametrize("vector", _POSITIVE)
def test_the_claim_of_a_real_sdk_is_read(vector: dict[str, Any]) -> None:
    claim = read_claim(_request(vector))
    assert claim.scheme is Scheme.Q_SIGN
    assert claim.carrier is Carrier(vector["kind"])
    assert claim.access_key_id == vector["access_key_id"]
    assert claim.terms.sign_time == vector["q_sign_time"]
    assert claim.terms.key_time == vector["q_key_time"]
    assert f"{claim.window.start};{claim.window.end}" == vector["q_sign_time"]
    assert ";".join(claim.signed_headers) == vector["header_list"]
    assert ";".join(claim.signed_parameters or ()) == vector["url_param_list"].replace("%3b", ";")
    assert claim.signature == vector["signature"]


@pytest.mark.parametrize("vector", _POSITIVE)
def test_every_intermediate_string_is_the_sdks_own(vector: dict[str, Any]) -> None:
    request = _request(vector)
    claim = read_claim(request)
    assert q_sign.sign_key(vector["secret_key"], claim.terms.key_time) == vector["sign_key"]
    headers = {name: request.headers.get_all(decode_name(name)) for name in claim.signed_headers}
    if "removed" in vector["verifies_with"]["host"]:
        headers["host"] = [headers["host"][0].partition(b":")[0]]
    http_text = q_sign.http_string(
        request.method,
        request.target.path,
        q_sign.http_parameters(claim.signed_parameters or (), request.target.query),
        q_sign.http_headers(claim.signed_headers, headers),
    )
    assert http_text.decode() == vector["format_string"]
    to_sign = q_sign.string_to_sign(claim.terms.sign_time, http_text)
    assert to_sign == vector["string_to_sign"]
    assert q_sign.signature(vector["sign_key"], to_sign) == vector["signature"]


@pytest.mark.parametrize("vector", _POSITIVE)
def test_a_real_sdks_request_is_accepted(vector: dict[str, Any]) -> None:
    request = _request(vector)
    verify(request, read_claim(request), vector["secret_key"])


@pytest.mark.parametrize("vector", _POSITIVE)
def test_a_real_sdk_covers_what_must_be_covered(vector: dict[str, Any]) -> None:
    request = _request(vector)
    claim = read_claim(request)
    level = _LEVELS.get(vector["id"], Level.OBJECT)
    if vector["id"] in _SIGNS_TOO_LITTLE:
        with pytest.raises(COSError, match="not signed") as refusal:
            check_coverage(request, claim, level=level)
        assert refusal.value.details == (("HeadersNotSigned", "host"),)
    else:
        check_coverage(request, claim, level=level)


@pytest.mark.parametrize("vector", _NEGATIVE)
def test_an_altered_request_is_refused(vector: dict[str, Any]) -> None:
    request = _request(vector)
    claim = read_claim(request)
    with pytest.raises(COSError) as refusal:
        verify(request, claim, vector["secret_key"])
    expected = "AccessDenied" if vector["id"] == "neg.missing_signed_header" else "SignatureDoesNotMatch"
    assert refusal.value.code == expected


def test_a_form_upload_signs_its_policy() -> None:
    vector = _DOCUMENT["post_object"]
    policy = base64.b64decode(vector["policy_base64"])
    assert q_sign.sign_key(vector["secret_key"], vector["q_key_time"]) == vector["sign_key"]
    assert q_sign.post_object_string_to_sign(policy) == vector["string_to_sign"]
    assert q_sign.post_object_signature(vector["secret_key"], vector["q_key_time"], policy) == vector["signature"]
