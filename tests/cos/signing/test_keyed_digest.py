"""A started key signs exactly as HMAC does, and many values are encoded exactly as each alone."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cos.signing.encoding import encode_value, encode_values
from cos.signing.keyed import Digest, KeyedDigest


@given(key=st.binary(max_size=64), texts=st.lists(st.text(), max_size=3), digest=st.sampled_from(Digest))
def test_a_started_key_signs_as_hmac_does(key: bytes, texts: list[str], digest: Digest) -> None:
    started = KeyedDigest(key, digest)
    for text in texts:
        assert started.sign(text) == hmac.new(key, text.encode(), digest).hexdigest()


def test_a_key_that_hmac_would_hash_first_is_not_taken() -> None:
    with pytest.raises(ValueError, match="at most 64 bytes, got 65"):
        KeyedDigest(b"k" * 65, Digest.SHA1)


def test_a_started_key_is_never_shown() -> None:
    assert repr(KeyedDigest(b"secret", Digest.SHA1)) == "KeyedDigest()"


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"", b"\n", b"a b/c%", b"bytes=0-9", bytes(range(256))])))
def test_many_values_are_encoded_as_each_alone(values: list[bytes]) -> None:
    assert encode_values(values) == [encode_value(value).encode() for value in values]
