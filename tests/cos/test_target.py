"""The request target ⇄ path and query."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.target import (
    MAX_PARAMETERS,
    MAX_TARGET_BYTES,
    Parameter,
    parse_query,
    parse_target,
    percent_decode,
    percent_encode,
    render_path,
    render_query,
    render_query_of,
)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        pytest.param(b"/", b"/", id="root"),
        pytest.param(b"/a%2F%2Fb%2F.%2Fc%2F..%2Fd%2F", b"/a//b/./c/../d/", id="go-slashes"),
        pytest.param(b"/a/../b/./c//d", b"/a/../b/./c//d", id="never-normalised"),
        pytest.param(b"//a", b"//a", id="leading-double-slash"),
        pytest.param(b"/a+b", b"/a+b", id="plus-is-literal"),
        pytest.param(b"/%2541", b"/%41", id="decoded-once"),
        pytest.param(b"/%3Facl", b"/?acl", id="encoded-question-mark"),
        pytest.param(b"/a;b=c", b"/a;b=c", id="no-path-parameters"),
        pytest.param(b"/%ff%00", b"/\xff\x00", id="bytes-are-judged-later"),
    ],
)
def test_path_is_decoded_once_and_never_normalised(raw: bytes, path: bytes) -> None:
    target = parse_target(raw)
    assert (target.path, target.raw, target.query) == (path, raw, ())


@pytest.mark.parametrize(
    ("raw", "query"),
    [
        pytest.param(b"acl", [("acl", "")], id="no-value"),
        pytest.param(b"acl=", [("acl", "")], id="empty-value"),
        pytest.param(b"a=1&b=2", [("a", "1"), ("b", "2")], id="order"),
        pytest.param(b"x=b&x=a", [("x", "b"), ("x", "a")], id="repeats"),
        pytest.param(b"p=%E4%B8%AD+a%2F", [("p", "中 a/")], id="plus-is-space"),
        pytest.param(b"p=a%2Bb", [("p", "a+b")], id="encoded-plus"),
        pytest.param(b"t=TOK/en+1==", [("t", "TOK/en 1==")], id="raw-equals"),
        pytest.param(b"a=1;b=2", [("a", "1;b=2")], id="semicolon-separates-nothing"),
        pytest.param(b"&a=1&&", [("a", "1")], id="empty-pieces"),
        pytest.param(b"a?b", [("a?b", "")], id="second-question-mark"),
        pytest.param(b"a=b=c&d", [("a", "b=c"), ("d", "")], id="first-equals-sign"),
        pytest.param(b"a=1&b=%31&c=x+y", [("a", "1"), ("b", "1"), ("c", "x y")], id="one-encoded-among-plain"),
    ],
)
def test_query_is_split_at_ampersands_then_decoded(raw: bytes, query: list[tuple[str, str]]) -> None:
    assert parse_query(raw) == tuple(Parameter(*pair) for pair in query)
    assert parse_target(b"/k?" + raw).query == parse_query(raw)


def test_values_of_a_parameter() -> None:
    target = parse_target(b"/?x=b&x=a&y=")
    assert target.values("x") == ["b", "a"]
    assert (target.value("x"), target.value("y"), target.value("X")) == ("b", "", None)


def test_names_and_values_are_those_of_the_query() -> None:
    target = parse_target(b"/?x=b&x=a&y=")
    assert (target.query_names, target.query_values) == (("x", "x", "y"), ("b", "a", ""))
    assert target.query == (("x", "b"), ("x", "a"), ("y", ""))
    without = target.with_query(target.query[2:])
    assert (without.query_names, without.value("x"), without.value("y"), without.values("x")) == (("y",), None, "", [])


@pytest.mark.parametrize(
    ("raw", "scheme", "authority", "path"),
    [
        (b"http://host/k", "http", "host", b"/k"),
        (b"HTTPS://Host:443/k?a", "https", "host:443", b"/k"),
        (b"http://host", "http", "host", b"/"),
        (b"http://host?a", "http", "host", b"/"),
    ],
)
def test_absolute_form_names_the_host(raw: bytes, scheme: str, authority: str, path: bytes) -> None:
    target = parse_target(raw)
    assert (target.scheme, target.authority, target.path) == (scheme, authority, path)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"*", id="asterisk"),
        pytest.param(b"k", id="no-slash"),
        pytest.param(b"?a", id="query-only"),
        pytest.param(b"@evil.com/x", id="user-information"),
        pytest.param(b"127.0.0.1:22", id="authority-form"),
        pytest.param(b"ftp://host/k", id="other-scheme"),
        pytest.param(b"http:///k", id="no-host"),
        pytest.param(b"http://a@b/k", id="user-in-authority"),
        pytest.param(b"http:/host/k", id="one-slash"),
        pytest.param(b"/k#f", id="fragment"),
        pytest.param(b"/k k", id="space"),
        pytest.param(b"/k\t", id="tab"),
        pytest.param(b"/k\x00", id="nul"),
        pytest.param(b"/k\x7f", id="delete"),
        pytest.param("/中".encode(), id="not-ascii"),
        pytest.param(b"/%", id="lone-percent"),
        pytest.param(b"/%4", id="half-escape"),
        pytest.param(b"/%zz", id="bad-escape"),
        pytest.param(b"/%+1", id="sign-is-no-digit"),
        pytest.param(b"/k?a=%", id="lone-percent-in-query"),
        pytest.param(b"/k?=v", id="parameter-without-name"),
        pytest.param(b"/k?a=%ff", id="query-not-utf-8"),
        pytest.param(b"/k?a=%00", id="nul-in-query"),
        pytest.param(b"/k?response-content-type=a%0d%0aSet-Cookie:b", id="header-injection"),
        pytest.param(b"/k?versionId=a%0D", id="carriage-return"),
        pytest.param(b"/k?a%0a=", id="line-feed-in-name"),
        pytest.param(b"/k?prefix%0a=a", id="line-feed-in-a-name-of-keys"),
        pytest.param(b"/k?" + b"&".join(b"p%d" % i for i in range(101)), id="101-parameters"),
        pytest.param(b"/" + b"k" * MAX_TARGET_BYTES, id="too-long"),
    ],
)
def test_other_targets_are_refused(raw: bytes) -> None:
    with pytest.raises(COSError) as caught:
        parse_target(raw)
    assert (caught.value.code, caught.value.status) == ("InvalidURI", 400)


def test_limits_are_inclusive() -> None:
    assert len(parse_target(b"/k?" + b"&".join(b"p%d" % i for i in range(100))).query) == 100
    assert len(parse_target(b"/" + b"k" * (MAX_TARGET_BYTES - 1)).path) == MAX_TARGET_BYTES


@pytest.mark.parametrize(
    ("path", "rendered"),
    [
        (b"/", b"/"),
        (b"/a b+c", b"/a%20b%2Bc"),
        ("/中/~".encode(), b"/%E4%B8%AD/~"),
        (b"/./../a", b"/.%2F..%2Fa"),
        (b"//a", b"//a"),
        (b"/a?b#c%", b"/a%3Fb%23c%25"),
        (b"/!'()*", b"/%21%27%28%29%2A"),
    ],
)
def test_rendered_path_has_one_spelling(path: bytes, rendered: bytes) -> None:
    assert render_path(path) == rendered


def test_rendered_query_has_one_spelling() -> None:
    assert render_query(parse_query(b"acl&p=%e4%b8%ad+a%2f")) == b"acl=&p=%E4%B8%AD%20a%2F"
    assert render_query(()) == b""


@pytest.mark.parametrize(
    ("raw", "as_rendered"),
    [
        pytest.param(b"partNumber=1&uploadId=ab~c.d_e-f", True, id="plain"),
        pytest.param(b"prefix=", True, id="empty-value"),
        pytest.param(b"a=1&a=1", True, id="repeated"),
        pytest.param(b"&".join([b"a=1"] * MAX_PARAMETERS), True, id="as-many-as-there-may-be"),
        pytest.param(b"", False, id="nothing"),
        pytest.param(b"acl", False, id="no-equals-sign"),
        pytest.param(b"acl&a=b=c", False, id="as-many-equals-signs-as-pieces"),
        pytest.param(b"a=b=c", False, id="two-equals-signs"),
        pytest.param(b"a=1&&b=2", False, id="empty-piece"),
        pytest.param(b"a=1&", False, id="ends-with-ampersand"),
        pytest.param(b"&a=1", False, id="starts-with-ampersand"),
        pytest.param(b"a=1+2", False, id="plus"),
        pytest.param(b"a=%41", False, id="needless-escape"),
        pytest.param(b"a=%2F", False, id="escape"),
        pytest.param(b"a=/", False, id="slash"),
        pytest.param(b"a=1?b=2", False, id="question-mark"),
    ],
)
def test_a_query_in_the_rendered_spelling_is_sent_on_as_it_is(raw: bytes, as_rendered: bool) -> None:
    target = parse_target(b"/key?" + raw)
    assert target.query == parse_query(raw)
    assert target.as_rendered is as_rendered
    assert render_query_of(target) == render_query(target.query)


def test_what_is_left_of_a_query_is_rendered_anew() -> None:
    target = parse_target(b"/key?partNumber=1&uploadId=a")
    assert render_query_of(target.with_query(target.query[1:])) == b"uploadId=a"
    assert render_query_of(target.with_query(target.query[::-1])) == b"uploadId=a&partNumber=1"
    assert render_query_of(target.with_query(())) == b""


@pytest.mark.parametrize(
    ("name", "value", "rendered"),
    [
        pytest.param("a=b", "c", b"a%3Db=c", id="equals-sign-in-name"),
        pytest.param("a", "b=c", b"a=b%3Dc", id="equals-sign-in-value"),
        pytest.param("a", "b&c", b"a=b%26c", id="ampersand-in-value"),
        pytest.param("a&b", "", b"a%26b=", id="ampersand-in-name"),
        pytest.param("a", "b&c=d", b"a=b%26c%3Dd", id="a-second-parameter-in-value"),
    ],
)
def test_what_separates_parameters_is_encoded_inside_them(name: str, value: str, rendered: bytes) -> None:
    assert render_query((Parameter(name, value),)) == rendered
    assert render_query((Parameter("x", "1"), Parameter(name, value))) == b"x=1&" + rendered
    assert parse_query(rendered) == (Parameter(name, value),)


def test_percent_encoding_is_rfc_3986() -> None:
    assert percent_encode("AZaz09-_.~") == "AZaz09-_.~"
    assert percent_encode(" /*!'()中") == "%20%2F%2A%21%27%28%29%E4%B8%AD"
    assert percent_decode(b"%2f+%2B") == b"/++"


@pytest.mark.parametrize("name", ["prefix", "delimiter", "marker", "start-after", "key-marker"])
def test_a_listing_may_ask_for_keys_of_several_lines(name: str) -> None:
    target = parse_target(f"/?{name}=a%0d%0Ab".encode())
    assert target.query == (Parameter(name, "a\r\nb"),)
    assert render_query(target.query) == f"{name}=a%0D%0Ab".encode()
