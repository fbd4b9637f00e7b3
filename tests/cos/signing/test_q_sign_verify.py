"""Where a COS signature could be read two ways, and what a refusal tells."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from cos.errors import COSError
from cos.request import Request, read_request
from cos.signing import SignKeys, q_sign, read_claim, verify
from cos.signing.encoding import encode_name, encode_path, encode_value
from cos.signing.keyed import Digest, KeyedDigest
from cos.target import Parameter

SECRET = "ExampleSecretKey/with+chars=0001"
TIME = "1700000000;1700003600"
HOST = "examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com"


def signed(
    http_text: str,
    target: str = "/key",
    *headers: tuple[str, str],
    header_list: str = "host",
    parameter_list: str = "",
    host: str = HOST,
) -> Request:
    """A GET whose FormatString is given as text, signed from scratch, step by step as documented."""
    key = hmac.new(SECRET.encode(), TIME.encode(), "sha1").hexdigest()
    to_sign = f"sha1\n{TIME}\n{hashlib.sha1(http_text.encode()).hexdigest()}\n"
    signature = hmac.new(key.encode(), to_sign.encode(), "sha1").hexdigest()
    authorization = (
        f"q-sign-algorithm=sha1&q-ak=AK&q-sign-time={TIME}&q-key-time={TIME}&q-header-list={header_list}"
        f"&q-url-param-list={parameter_list}&q-signature={signature}"
    )
    fields = [("Host", host), *headers, ("Authorization", authorization)]
    return read_request("GET", target.encode(), [(name.encode(), value.encode()) for name, value in fields])


def accepted(received: Request) -> bool:
    try:
        verify(received, read_claim(received), SECRET)
    except COSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "signed_host", "expected"),
    [
        ("gw:9000", "gw%3A9000", True),
        ("gw:9000", "gw", True),
        ("gw", "gw", True),
        ("[::1]:9000", "%5B%3A%3A1%5D", True),
        ("gw", "gw%3A9000", False),
        ("gw:9000", "gw%3A9001", False),
        ("gw:9000", "other", False),
    ],
    ids=["port", "python drops it", "no port", "ipv6", "port added", "another port", "another host"],
)
def test_a_host_matches_with_or_without_the_port_it_has(host: str, signed_host: str, expected: bool) -> None:
    assert accepted(signed(f"get\n/key\n\nhost={signed_host}\n", host=host)) is expected


@pytest.mark.parametrize(
    ("header_list", "pairs", "expected"),
    [
        ("host;x-cos-meta-r;x-cos-meta-r", "x-cos-meta-r=-&x-cos-meta-r=%2F", True),
        ("host;x-cos-meta-r", "x-cos-meta-r=-&x-cos-meta-r=%2F", True),
        ("host;x-cos-meta-r", "x-cos-meta-r=-", False),
        ("host;x-cos-meta-r;x-cos-meta-r;x-cos-meta-r", "x-cos-meta-r=-&x-cos-meta-r=%2F", False),
        ("host;host;x-cos-meta-r", "x-cos-meta-r=-&x-cos-meta-r=%2F", False),
    ],
    ids=["once per value, as go", "once", "half of it", "too often", "single header twice"],
)
def test_a_repeated_header_is_covered_whole(header_list: str, pairs: str, expected: bool) -> None:
    received = signed(
        f"get\n/key\n\nhost={HOST}&{pairs}\n",
        "/key",
        ("x-cos-meta-r", "/"),
        ("x-cos-meta-r", "-"),
        header_list=header_list,
    )
    assert accepted(received) is expected


def test_values_of_a_repeated_parameter_are_sorted_as_they_are_before_encoding() -> None:
    # "-" sorts before "/", but "%2F" before "-".
    query = (Parameter("x", "/"), Parameter("x", "-"))
    assert q_sign.http_parameters(("x",), query) == "x=-&x=%2F"


def test_a_header_without_value_is_signed_as_empty() -> None:
    text = f"get\n/key\n\nhost={HOST}&x-cos-copy-source-range=\n"
    lists = {"header_list": "host;x-cos-copy-source-range"}
    assert accepted(signed(text, "/key", ("x-cos-copy-source-range", ""), **lists))
    assert not accepted(signed(text, "/key", **lists))


@pytest.mark.parametrize("target", ["/key?acl", "/key?acl="], ids=["bare", "empty"])
def test_a_parameter_without_value_is_signed_as_empty(target: str) -> None:
    assert accepted(signed(f"get\n/key\nacl=\nhost={HOST}\n", target, parameter_list="acl"))


def test_a_listed_parameter_that_is_absent_is_refused() -> None:
    assert not accepted(signed(f"get\n/key\nacl=\nhost={HOST}\n", "/key", parameter_list="acl"))


def test_a_signature_never_covers_itself() -> None:
    with pytest.raises(COSError, match="q-ak"):
        q_sign.http_parameters(("q-ak",), (Parameter("q-ak", "AK"),))


@pytest.mark.parametrize("value", ["a+b", "a%2Bb"], ids=["unescaped", "escaped"])
def test_a_signed_token_in_the_query_matches_in_both_spellings(value: str) -> None:
    text = f"get\n/key\nx-cos-security-token=a%2Bb\nhost={HOST}\n"
    received = signed(text, f"/key?x-cos-security-token={value}", parameter_list="x-cos-security-token")
    claim = read_claim(signed(text, parameter_list="x-cos-security-token"))
    verify(received, claim, SECRET)


def test_a_path_with_line_feeds_cannot_pose_as_other_lines() -> None:
    honest = signed(f"get\n/key\nacl=\nhost={HOST}\n", "/key?acl", parameter_list="acl")
    posing = read_request("GET", b"/key%0Aacl=", honest.headers)
    assert accepted(honest)
    assert not accepted(posing)


def test_a_mismatch_shows_the_strings_the_gateway_signed() -> None:
    with pytest.raises(COSError) as refusal:
        verify(received := signed("anything", "/a%20b?acl", parameter_list="acl"), read_claim(received), SECRET)
    text = f"get\n/a b\nacl=\nhost={HOST}\n"
    assert dict(refusal.value.details) == {
        "FormatString": text,
        "StringToSign": f"sha1\n{TIME}\n{hashlib.sha1(text.encode()).hexdigest()}\n",
    }


def test_a_mismatch_never_shows_a_secret_header() -> None:
    headers = [
        ("x-cos-copy-source-server-side-encryption-customer-key", "KEY-TO-HIDE"),
        ("x-cos-security-token", "TOKEN-TO-HIDE"),
        ("x-cos-server-side-encryption-customer-key", "KEY-TO-HIDE"),
    ]
    names = ";".join(name for name, _ in headers)
    received = signed("anything", "/%FF%0A", *headers, header_list=f"host;{names}")
    with pytest.raises(COSError) as refusal:
        verify(received, read_claim(received), SECRET)
    assert "TO-HIDE" not in str(refusal.value.details)
    assert "x-cos-security-token=***" in dict(refusal.value.details)["FormatString"]


def test_a_held_sign_key_neither_accepts_more_nor_less() -> None:
    keys = SignKeys()
    good = signed(f"get\n/key\n\nhost={HOST}\n")
    bad = signed("anything")
    for _ in range(2):
        verify(good, read_claim(good), SECRET, sign_keys=keys)
        for received, secret in ((bad, SECRET), (good, SECRET + "x")):
            with pytest.raises(COSError, match="SignatureDoesNotMatch"):
                verify(received, read_claim(received), secret, sign_keys=keys)
    assert len(keys) == 1


def test_a_signature_that_fails_leaves_no_sign_key_behind() -> None:
    keys = SignKeys()
    received = signed("anything")
    with pytest.raises(COSError, match="SignatureDoesNotMatch"):
        verify(received, read_claim(received), SECRET, sign_keys=keys)
    assert len(keys) == 0


def test_held_sign_keys_are_bounded_and_never_shown() -> None:
    keys = SignKeys(max_entries=2)
    for number in range(3):
        keys.keep("secret", str(number), KeyedDigest(b"k", Digest.SHA1))
    assert len(keys) == 2
    assert keys.find(("secret", "0")) is None
    assert keys.find(("secret", "2")) is not None
    assert repr(keys) == "SignKeys(2 held)"
    with pytest.raises(ValueError, match="at least one"):
        SignKeys(max_entries=0)


@pytest.mark.parametrize(
    ("raw", "encoded"),
    [
        (b"", ""),
        (b"AZaz09-_.~", "AZaz09-_.~"),
        (b"a b/c+d%", "a%20b%2Fc%2Bd%25"),
        (b"%2F", "%252F"),
        (b"!'()*", "%21%27%28%29%2A"),
        ("中".encode(), "%E4%B8%AD"),
        (b"\xff\x00", "%FF%00"),
    ],
    ids=["empty", "unreserved", "reserved", "already encoded", "marks", "utf-8", "not utf-8"],
)
def test_values_are_percent_encoded_as_documented(raw: bytes, encoded: str) -> None:
    assert encode_value(raw) == encoded
    assert encode_name(raw) == encoded.lower()


def test_every_byte_is_encoded_the_same_alone_and_among_all_others() -> None:
    everything = bytes(range(256))
    assert encode_value(everything) == "".join(encode_value(bytes([byte])) for byte in everything)
    assert encode_path(everything) == encode_value(everything).replace("%2F", "/")
