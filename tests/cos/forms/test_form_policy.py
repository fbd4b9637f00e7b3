"""Form policies: the published example, each kind of condition, and what no condition names."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from cos.errors import COSError
from cos.forms.policy import check_form_policy, parse_form_policy
from cos.signing.q_sign import post_object_signature

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "cos-sign-vectors.json"
EXPIRATION = "2030-01-01T00:00:00.000Z"
EXPIRES = 1_893_456_000


def policy_text(*conditions: Any, **changes: Any) -> bytes:
    return json.dumps({"expiration": EXPIRATION, "conditions": list(conditions), **changes}).encode()


def check(condition: Any, fields: dict[str, str], now: float = 0) -> None:
    check_form_policy(parse_form_policy(policy_text(condition)), {"bucket": "b-1250000000", **fields}, now=now)


def test_the_documents_own_policy_is_read_and_its_signature_made() -> None:
    published = json.loads(VECTORS.read_text(encoding="utf-8"))["post_object"]
    text = base64.b64decode(published["policy_base64"])
    policy = parse_form_policy(text)
    assert policy.expiration == 1_567_157_892
    assert [(c.field, str(c.match)) for c in policy.conditions][:4] == [
        ("acl", "eq"), ("bucket", "eq"), ("key", "starts-with"), ("content-type", "starts-with"),
    ]  # fmt: skip
    assert post_object_signature(published["secret_key"], published["q_key_time"], text) == published["signature"]


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ({"key": "a/b"}, "a/b"),
        (["eq", "$key", "a/b"], "a/b"),
        (["EQ", "$Key", "a/b"], "a/b"),
        (["starts-with", "$key", "a/"], "a/b"),
        (["starts-with", "$key", "a/"], "a/"),
        (["starts-with", "$key", ""], "anything"),
    ],
)
def test_a_condition_that_holds_lets_the_field_pass(condition: Any, value: str) -> None:
    check(condition, {"key": value})


@pytest.mark.parametrize(
    ("condition", "fields"),
    [
        ({"key": "a/b"}, {"key": "a/b "}),
        ({"key": "a/b"}, {"key": "A/b"}),
        ({"key": "a/b"}, {}),
        (["eq", "$key", "a"], {"key": "ab"}),
        (["starts-with", "$key", "a/"], {"key": "b/a/"}),
        (["starts-with", "$content-type", "image/"], {"content-type": "image/png, text/html"}),
        ({"bucket": "c-1250000000"}, {}),
        ({"key": "a"}, {"key": "a", "acl": "public-read"}),
        ({"key": "a"}, {"key": "a", "x-cos-meta-a": "1"}),
        ({"bucket": "b-1250000000"}, {"key": "a"}),
    ],
    ids=[
        "space", "case", "absent", "longer", "elsewhere", "second type", "another bucket", "acl nobody signed",
        "metadata nobody signed", "key nobody signed",
    ],
)  # fmt: skip
def test_a_form_that_its_policy_does_not_allow_is_refused(condition: Any, fields: dict[str, str]) -> None:
    with pytest.raises(COSError) as caught:
        check(condition, fields)
    assert caught.value.code == "AccessDenied"
    assert "Invalid according to Policy" in caught.value.message


def test_what_signs_the_form_and_what_is_to_be_ignored_needs_no_condition() -> None:
    check({"key": "a"}, {"key": "a", "policy": "…", "q-signature": "…", "x-ignore-a": "1", "submit": "Upload"})


def test_a_policy_is_good_until_its_last_second() -> None:
    check({"key": "a"}, {"key": "a"}, now=EXPIRES)
    with pytest.raises(COSError, match="expired"):
        check({"key": "a"}, {"key": "a"}, now=EXPIRES + 1)


@pytest.mark.parametrize(("listed", "least", "most"), [([0, 10], 0, 10), (["5", "5"], 5, 5)], ids=["numbers", "digits"])
def test_a_range_of_sizes_is_read(listed: list[Any], least: int, most: int) -> None:
    policy = parse_form_policy(policy_text(["content-length-range", *listed]))
    assert (policy.min_bytes, policy.max_bytes) == (least, most)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000,
        policy_text(expiration="tomorrow"), policy_text(expiration="2030-13-01T00:00:00Z"), policy_text(expiration=0),
        policy_text(version=1), policy_text(conditions={}),
        policy_text("key"), policy_text(["eq", "$key"]), policy_text(["eq", "key", "a"]), policy_text({"key": 1}),
        policy_text(["in", "$key", "a"]), policy_text(["content-length-range", -1, 5]),
        policy_text(["content-length-range", True, 5]),
        policy_text(["content-length-range", 0, 1], ["content-length-range", 0, 9]),
        policy_text(*([{"key": "a"}] * 201)),
        b'{"expiration": "2030-01-01T00:00:00Z", "conditions": [], "conditions": []}',
        b'{"expiration": "2030-01-01T00:00:00Z", "conditions": [{"key": "a", "key": "b"}]}',
    ],
)  # fmt: skip
def test_what_is_not_a_policy_is_refused(text: bytes) -> None:
    with pytest.raises(COSError) as caught:
        parse_form_policy(text)
    assert caught.value.code == "InvalidPolicyDocument"
