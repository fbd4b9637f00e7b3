"""The signature of Tencent Cloud's APIs, step by step."""

from __future__ import annotations

import hashlib

from gateway.credentials.sources import tc3

# The payload and the moment of the documentation's example, whose SecretKey is 32 asterisks.
PAYLOAD = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
MOMENT = 1551113065


def test_the_payload_is_the_documented_one() -> None:
    assert hashlib.sha256(PAYLOAD).hexdigest() == "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064"


def test_the_canonical_request_is_the_documented_one() -> None:
    canonical = tc3.canonical_request("cvm.tencentcloudapi.com", "DescribeInstances", PAYLOAD)
    assert (
        hashlib.sha256(canonical.encode()).hexdigest()
        == "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84"
    )


def test_the_scope_is_the_day_in_utc() -> None:
    assert tc3.credential_scope(MOMENT, "cvm") == "2019-02-25/cvm/tc3_request"
    assert tc3.credential_scope(1551139199, "sts") == "2019-02-25/sts/tc3_request"
    assert tc3.credential_scope(1551139200, "sts") == "2019-02-26/sts/tc3_request"


def test_the_signature_of_the_documented_example() -> None:
    scope = tc3.credential_scope(MOMENT, "cvm")
    canonical = tc3.canonical_request("cvm.tencentcloudapi.com", "DescribeInstances", PAYLOAD)
    text = tc3.string_to_sign(MOMENT, scope, canonical)
    signed = tc3.signature("*" * 32, scope, text)
    assert signed == "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
