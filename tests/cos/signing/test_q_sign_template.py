"""A filled template is what the documented steps make, and unusual requests go through those."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cos.rewrite import UpstreamRequest
from cos.signing import Scheme, q_sign, sign
from cos.signing.encoding import encode_name
from cos.signing.q_sign_template import HttpTemplate
from cos.target import Parameter

_characters = st.characters(exclude_categories=["Cs"])
_names = st.text(_characters, min_size=1, max_size=8).filter(lambda name: name not in q_sign.CARRIER_PARAMETERS)
_bytes = st.binary(max_size=12) | st.sampled_from([b"", b"\n", b"bytes=0-9", b"h:1/k", bytes(range(256))])


def _canonical(given_one: tuple[str, object]) -> str:
    return encode_name(given_one[0].encode())


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    path=st.binary(max_size=20),
    parameters=st.lists(st.tuples(_names, st.text(_characters, max_size=12)), unique_by=_canonical, max_size=4),
    headers=st.lists(st.tuples(_names, _bytes), unique_by=_canonical, max_size=4),
    shuffled=st.randoms(use_true_random=False),
)
def test_a_filled_template_is_what_the_documented_steps_make(
    method: str,
    path: bytes,
    parameters: list[tuple[str, str]],
    headers: list[tuple[str, bytes]],
    shuffled: Random,
) -> None:
    listed_parameters = [(_canonical(parameter), place) for place, parameter in enumerate(parameters)]
    listed_headers = [(_canonical(header), place) for place, header in enumerate(headers)]
    shuffled.shuffle(listed_parameters)
    shuffled.shuffle(listed_headers)
    query = [Parameter(name, value) for name, value in parameters]
    given = tuple(value for _, value in parameters), tuple(value for _, value in headers)
    template = HttpTemplate(method, listed_parameters, listed_headers)
    assert template.fill(path, *given) == q_sign.http_string(
        method,
        path,
        q_sign.http_parameters([name for name, _ in listed_parameters], query),
        q_sign.http_headers([name for name, _ in listed_headers], {_canonical(one): [one[1]] for one in headers}),
    )


@pytest.mark.parametrize(
    ("query", "headers", "lists"),
    [
        ((), (), "&q-header-list=host&q-url-param-list=&"),
        ((Parameter("acl", ""),), (), "&q-header-list=host&q-url-param-list=acl&"),
        ((Parameter("X/y", "1"), Parameter("a", "2")), (), "&q-header-list=host&q-url-param-list=a;x%2fy&"),
        ((Parameter("a", "2"), Parameter("a", "1")), (), "&q-header-list=host&q-url-param-list=a;a&"),
        (
            (),
            ((b"x-cos-meta-r", b"2"), (b"range", b"bytes=0-9"), (b"x-cos-meta-r", b"1")),
            "&q-header-list=host;range;x-cos-meta-r;x-cos-meta-r&q-url-param-list=&",
        ),
        ((Parameter("sign", "2"), Parameter("sign", "1")), (), "&q-header-list=host&q-url-param-list=sign;sign&"),
        ((), ((b"user-agent", b"u"), (b"authorization", b"old")), "&q-header-list=host&q-url-param-list=&"),
    ],
    ids=[
        "nothing",
        "one parameter",
        "encoded name",
        "repeated parameter",
        "repeated header",
        "repeated carrier",
        "what is not signed",
    ],
)
def test_a_signature_lists_all_it_covers_in_order(
    query: tuple[Parameter, ...], headers: tuple[tuple[bytes, bytes], ...], lists: str
) -> None:
    request = UpstreamRequest.of("PUT", "h", b"/k", query, b"/k", headers)
    made = sign(
        request, scheme=Scheme.Q_SIGN, secret_id="AK", secret_key="s", token=None, now=1_700_000_060,
        lifetime_seconds=600, region="",
    )  # fmt: skip
    authorizations = [value.decode() for name, value in made.headers if name == b"authorization"]
    assert len(authorizations) == 1
    head = "q-sign-algorithm=sha1&q-ak=AK&q-sign-time=1700000000;1700000660&q-key-time=1700000000;1700000660"
    assert authorizations[0].startswith(head + lists)
