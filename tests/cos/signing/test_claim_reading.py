"""A signature is read from one place, in one spelling, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from types import BuiltinMethodType

import pytest

from cos.errors import COSError
from cos.headers import Headers
from cos.remembering import Memory
from cos.request import Dialect, Request
from cos.signing import Carrier, Claim, QSignTerms, Scheme, SigV4Terms, Window, read_claim
from cos.signing.q_sign_claim import _read_before_signature
from cos.target import parse_target

HOST = b"examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com"
DIGITS = "0123456789abcdef0123456789abcdef01234567"
Q_SIGN = {
    "q-sign-algorithm": "sha1",
    "q-ak": "AKIDEXAMPLE",
    "q-sign-time": "1700000000;1700003600",
    "q-key-time": "1700000000;1700003600",
    "q-header-list": "host;range",
    "q-url-param-list": "partnumber;uploadid",
    "q-signature": DIGITS,
}
SIGV4_SIGNATURE = "a" * 64
SIGV4_CREDENTIAL = "AKIDEXAMPLE/20231114/us-east-1/s3/aws4_request"
SIGV4 = f"AWS4-HMAC-SHA256 Credential={SIGV4_CREDENTIAL}, SignedHeaders=host;x-amz-date, Signature={SIGV4_SIGNATURE}"
SIGV4_HEADERS = ((b"x-amz-date", b"20231114T221320Z"), (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD"))
SIGV4_QUERY = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": SIGV4_CREDENTIAL.replace("/", "%2F"),
    "X-Amz-Date": "20231114T221320Z",
    "X-Amz-Expires": "3600",
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Signature": SIGV4_SIGNATURE,
}


def request(
    target: str = "/key", headers: Sequence[tuple[bytes, bytes]] = (), authorization: str | None = None
) -> Request:
    fields = [(b"host", HOST), *headers]
    if authorization is not None:
        fields.append((b"authorization", authorization.encode()))
    return Request("GET", parse_target(target.encode()), Headers.of(fields), HOST.decode(), Dialect.COS)


def q_sign(**changed: str | None) -> str:
    fields = Q_SIGN | {"q-" + name.replace("_", "-"): value for name, value in changed.items()}
    return "&".join(f"{name}={value}" for name, value in fields.items() if value is not None)


def sigv4_query(**changed: str | None) -> str:
    fields = SIGV4_QUERY | {"X-Amz-" + name: value for name, value in changed.items()}
    return "/key?" + "&".join(f"{name}={value}" for name, value in fields.items() if value is not None)


def refusal(read: Request) -> str:
    with pytest.raises(COSError) as caught:
        read_claim(read)
    return caught.value.code


def test_a_cos_authorization_header_is_read() -> None:
    assert read_claim(request(authorization=q_sign(sign_time="1700000001;1700003000"))) == Claim(
        carrier=Carrier.HEADER,
        access_key_id="AKIDEXAMPLE",
        window=Window(1700000001, 1700003000),
        signed_headers=("host", "range"),
        signed_parameters=("partnumber", "uploadid"),
        signature=DIGITS,
        terms=QSignTerms("1700000001;1700003000", "1700000000;1700003600", key_window=Window(1700000000, 1700003600)),
    )


def test_the_fields_of_a_cos_signature_may_come_in_any_order() -> None:
    fields = q_sign().split("&")
    expected = read_claim(request(authorization=q_sign()))
    # The first names the scheme.
    for first in range(1, len(fields)):
        shuffled = [fields[0], *fields[first:], *fields[1:first]]
        assert read_claim(request(authorization="&".join(shuffled))) == expected


def test_signatures_that_differ_in_their_last_field_only_are_told_apart() -> None:
    signatures = [DIGITS, DIGITS[::-1], "0" * 40]
    claims = [read_claim(request(authorization=q_sign(signature=signature))) for signature in signatures]
    assert [claim.signature for claim in claims] == signatures


@pytest.mark.parametrize(
    "text",
    [f"{q_sign()}&q-signature={DIGITS}", f"{q_sign(ak=None)}&q-signature={DIGITS}"],
    ids=["eight fields", "in place of another"],
)
def test_a_text_with_a_second_signature_is_not_remembered(text: str) -> None:
    assert isinstance(_read_before_signature, BuiltinMethodType)
    remembered = _read_before_signature.__self__
    assert isinstance(remembered, Memory)
    before = list(remembered)
    assert refusal(request(authorization=text)) == "InvalidArgument"
    assert list(remembered) == before


def test_a_token_is_read_anew_from_every_request() -> None:
    tokens = ["t1", "t2", None]
    given = [[(b"x-cos-security-token", token.encode())] if token is not None else [] for token in tokens]
    assert [read_claim(request("/k", headers, q_sign())).security_token for headers in given] == tokens


def test_a_refused_claim_is_refused_again() -> None:
    for _ in range(2):
        assert refusal(request(authorization=q_sign(sign_time="2;1"))) == "InvalidArgument"


def test_a_sigv4_authorization_header_is_read() -> None:
    claim = read_claim(request(authorization=SIGV4, headers=SIGV4_HEADERS))
    assert claim.scheme is Scheme.SIGV4
    assert claim.window == Window(1700000000, 1700000000)
    assert claim.signed_headers == ("host", "x-amz-date")
    assert claim.signed_parameters is None
    assert claim.payload_sha256 is None
    assert isinstance(claim.terms, SigV4Terms)
    assert str(claim.terms.scope) == "20231114/us-east-1/s3/aws4_request"


def test_a_sigv4_presigned_url_is_read() -> None:
    claim = read_claim(request(sigv4_query()))
    assert claim.carrier is Carrier.QUERY
    assert claim.window == Window(1700000000, 1700003600)
    assert isinstance(claim.terms, SigV4Terms)
    assert claim.terms.payload == "UNSIGNED-PAYLOAD"


def test_a_declared_payload_hash_is_what_the_body_must_have() -> None:
    digest = "b" * 64
    headers = (SIGV4_HEADERS[0], (b"x-amz-content-sha256", digest.encode()))
    assert read_claim(request(authorization=SIGV4, headers=headers)).payload_sha256 == digest


@pytest.mark.parametrize("spaces", ["", " ", "  "], ids=["none", "one", "two"])
def test_sigv4_fields_may_be_joined_with_any_spaces(spaces: str) -> None:
    authorization = SIGV4.replace(", ", "," + spaces)
    assert read_claim(request(authorization=authorization, headers=SIGV4_HEADERS)).access_key_id == "AKIDEXAMPLE"


def test_neither_signature_nor_token_is_ever_shown() -> None:
    token = (b"x-cos-security-token", b"TOKEN-TO-HIDE")
    shown = repr(read_claim(request(authorization=q_sign(), headers=[token])))
    assert DIGITS not in shown
    assert "TOKEN-TO-HIDE" not in shown


@pytest.mark.parametrize(
    "raw",
    ["x%2fy;z", "x%252fy;z", "x%2fy%3bz", "x%252fy%3bz"],
    ids=["raw", "name escaped", "separator escaped", "both escaped"],
)
def test_a_listed_name_means_the_same_however_often_the_url_escaped_it(raw: str) -> None:
    fields = Q_SIGN | {"q-url-param-list": raw}
    target = "/key?" + "&".join(f"{name}={value}" for name, value in fields.items())
    assert read_claim(request(target)).signed_parameters == ("x%2fy", "z")


@pytest.mark.parametrize(
    ("target", "headers", "token"),
    [
        ("/k", [(b"x-cos-security-token", b"a+b/c==")], "a+b/c=="),
        ("/k", [(b"x-cos-security-token", b"")], None),
        ("/k", [], None),
    ],
    ids=["header", "empty header", "absent"],
)
def test_a_token_beside_a_header_signature(target: str, headers: list[tuple[bytes, bytes]], token: str | None) -> None:
    assert read_claim(request(target, headers, q_sign())).security_token == token


@pytest.mark.parametrize("spelling", ["a+b/c==", "a%2Bb%2Fc%3D%3D"], ids=["unescaped, as node", "escaped"])
def test_a_token_in_a_url_is_read_in_both_spellings(spelling: str) -> None:
    claim = read_claim(request(f"/k?{q_sign()}&x-cos-security-token={spelling}"))
    assert claim.security_token == "a+b/c=="


_TOKEN = (b"x-cos-security-token", b"t")
_REFUSED_PLACES = [
    pytest.param(request(), "AccessDenied", id="unsigned"),
    pytest.param(request(authorization=""), "AccessDenied", id="empty authorization"),
    pytest.param(request(authorization="AWS alice:sig"), "InvalidRequest", id="signature version 2"),
    pytest.param(request(authorization="Bearer abc"), "AccessDenied", id="another scheme"),
    pytest.param(request(authorization="AWS4-ECDSA-P256-SHA256 x"), "AccessDenied", id="sigv4a"),
    pytest.param(request(authorization=SIGV4.lower(), headers=SIGV4_HEADERS), "AccessDenied", id="sigv4 lower-case"),
    pytest.param(request(f"/k?{q_sign()}", authorization=q_sign()), "AccessDenied", id="header and query"),
    pytest.param(request("/k?q-ak=x", authorization=q_sign()), "AccessDenied", id="header and one query field"),
    pytest.param(request("/k?sign=", authorization=q_sign()), "AccessDenied", id="header and sign="),
    pytest.param(request(sigv4_query(), authorization=q_sign()), "AccessDenied", id="q-sign header, sigv4 query"),
    pytest.param(request(f"{sigv4_query()}&{q_sign()}"), "AccessDenied", id="both schemes in the query"),
    pytest.param(request(f"/k?{q_sign()}&sign={q_sign().replace('&', '%26')}"), "AccessDenied", id="sign= and fields"),
    pytest.param(
        request(headers=[(b"authorization", q_sign().encode())], authorization=q_sign()),
        "InvalidRequest",
        id="two authorization headers",
    ),
    pytest.param(
        request("/k?x-cos-security-token=t", [_TOKEN], q_sign()), "AccessDenied", id="token in header and query"
    ),
    pytest.param(request("/k?x-cos-security-token=t", (), q_sign()), "AccessDenied", id="token away from it"),
    pytest.param(request(f"/k?{q_sign()}&x-cos-security-token=t", [_TOKEN]), "AccessDenied", id="two tokens"),
    pytest.param(request(authorization="q-sign-algorithm=sha1\u4e2d"), "InvalidRequest", id="not ascii"),
    pytest.param(request(authorization=q_sign(header_list="host;\xe9")), "InvalidRequest", id="not ascii in a list"),
    pytest.param(request(authorization=q_sign(header_list="host;\t")), "InvalidRequest", id="tab in a list"),
    pytest.param(request(authorization=q_sign(header_list="host;\x7f")), "InvalidRequest", id="DEL in a list"),
    pytest.param(request(authorization=q_sign() + "\xe9"), "InvalidRequest", id="not ascii in the signature"),
]


@pytest.mark.parametrize(("read", "code"), _REFUSED_PLACES)
def test_a_request_without_exactly_one_signature_is_refused(read: Request, code: str) -> None:
    assert refusal(read) == code


_MALFORMED_Q_SIGN = {
    "missing field": q_sign(signature=None),
    "field twice, valid last": f"q-sign-algorithm=sha1&q-signature={'0' * 40}&" + q_sign(sign_algorithm=None),
    "list twice": q_sign() + "&q-header-list=",
    "field twice in place of another": q_sign(ak=None) + "&q-header-list=host",
    "unknown field": q_sign() + "&q-extra=1",
    "only the algorithm": "q-sign-algorithm=sha1",
    "algorithm md5": q_sign(sign_algorithm="md5"),
    "algorithm empty": q_sign(sign_algorithm=""),
    "algorithm upper-case": q_sign(sign_algorithm="SHA1"),
    "key id empty": q_sign(ak=""),
    "key id with slash": q_sign(ak="a/b"),
    "key id too long": q_sign(ak="a" * 129),
    "signature empty": q_sign(signature=""),
    "signature of 39 digits": q_sign(signature=DIGITS[:-1]),
    "signature of 41 digits": q_sign(signature=DIGITS + "0"),
    "signature upper-case": q_sign(signature=DIGITS.upper()),
    "signature with line feed": q_sign(signature=DIGITS[:-1] + " "),
    "huge": q_sign(signature="a" * 1024 * 1024),
    "time without end": q_sign(sign_time="1700000000"),
    "time with three parts": q_sign(sign_time="1;2;3"),
    "time float": q_sign(sign_time="1.5;9999999999.5"),
    "time underscore": q_sign(sign_time="1_0;9_999"),
    "time signed": q_sign(sign_time="+1;2"),
    "time negative": q_sign(sign_time="-5;2"),
    "time with space": q_sign(sign_time="1; 2"),
    "time of 13 digits": q_sign(sign_time="0;1000000000000", key_time="0;1000000000000"),
    "key time malformed": q_sign(key_time=""),
    "time backwards": q_sign(sign_time="1700003600;1700000000"),
    "time without length": q_sign(sign_time="1700000000;1700000000"),
    "list upper-case": q_sign(header_list="Host"),
    "list unsorted": q_sign(header_list="range;host"),
    "list with empty name": q_sign(header_list="host;;range"),
    "list with bad escape": q_sign(url_param_list="x%zz"),
    "list too long": q_sign(header_list=";".join(["a"] * 201)),
}


@pytest.mark.parametrize("authorization", _MALFORMED_Q_SIGN.values(), ids=_MALFORMED_Q_SIGN.keys())
def test_a_malformed_cos_signature_is_refused(authorization: str) -> None:
    assert refusal(request(authorization=authorization)) == "InvalidArgument"


def test_a_time_of_12_digits_is_read() -> None:
    claim = read_claim(request(authorization=q_sign(sign_time="0;999999999999", key_time="0;999999999999")))
    assert claim.window == Window(0, 999999999999)


def test_a_list_of_200_names_is_read() -> None:
    assert len(read_claim(request(authorization=q_sign(header_list=";".join(["a"] * 200)))).signed_headers) == 200


@pytest.mark.parametrize(
    ("sign_time", "accepted"),
    [
        ("1700000000;1700003600", True),
        ("1700000001;1700003599", True),
        ("1699999999;1700003600", False),
        ("1700000000;1700003601", False),
    ],
    ids=["equal", "inside", "starts before", "ends after"],
)
def test_the_sign_time_lies_inside_the_key_time(sign_time: str, accepted: bool) -> None:
    read = request(authorization=q_sign(sign_time=sign_time))
    if accepted:
        assert read_claim(read).access_key_id == "AKIDEXAMPLE"
    else:
        assert refusal(read) == "AccessDenied"


def test_a_query_field_given_twice_is_refused() -> None:
    assert refusal(request(f"/k?{q_sign()}&q-ak=AKIDEXAMPLE")) == "InvalidArgument"
    assert refusal(request(sigv4_query() + "&X-Amz-Expires=3600")) == "InvalidArgument"


_MALFORMED_SIGV4 = {
    "no signature": SIGV4.rpartition(",")[0],
    "field twice": SIGV4 + ", SignedHeaders=host",
    "unknown field": SIGV4.replace("SignedHeaders", "Signed"),
    "credential without region": SIGV4.replace("/us-east-1", ""),
    "service iam": SIGV4.replace("/s3/", "/iam/"),
    "terminator": SIGV4.replace("aws4_request", "aws5_request"),
    "another day": SIGV4.replace("20231114", "20231113"),
    "signature short": SIGV4[:-1],
    "signature upper-case": SIGV4.replace(SIGV4_SIGNATURE, "A" * 64),
    "headers upper-case": SIGV4.replace("host;", "Host;"),
    "headers unsorted": SIGV4.replace("host;x-amz-date", "x-amz-date;host"),
    "headers repeated": SIGV4.replace("host;", "host;host;"),
    "headers empty": SIGV4.replace("host;x-amz-date", ""),
    "huge": SIGV4 + "a" * 9000,
}


@pytest.mark.parametrize("authorization", _MALFORMED_SIGV4.values(), ids=_MALFORMED_SIGV4.keys())
def test_a_malformed_sigv4_signature_is_refused(authorization: str) -> None:
    assert refusal(request(authorization=authorization, headers=SIGV4_HEADERS)) == "InvalidArgument"


@pytest.mark.parametrize(
    ("date", "payload", "code"),
    [
        (None, b"UNSIGNED-PAYLOAD", "InvalidArgument"),
        (b"20231114", b"UNSIGNED-PAYLOAD", "InvalidArgument"),
        (b"20231314T221320Z", b"UNSIGNED-PAYLOAD", "InvalidArgument"),
        (b"20231114T22132\xb2Z", b"UNSIGNED-PAYLOAD", "InvalidRequest"),
        (b"20231114T221320Z", None, "InvalidRequest"),
        (b"20231114T221320Z", b"", "InvalidArgument"),
        (b"20231114T221320Z", b"B" * 64, "InvalidArgument"),
        (b"20231114T221320Z", b"STREAMING-ANYTHING", "InvalidArgument"),
    ],
    ids=["no date", "day only", "13th month", "not ascii", "no payload", "empty", "upper-case hash", "unknown stream"],
)
def test_a_malformed_sigv4_header_is_refused(date: bytes | None, payload: bytes | None, code: str) -> None:
    given = [(b"x-amz-date", date), (b"x-amz-content-sha256", payload)]
    headers = [(name, value) for name, value in given if value is not None]
    assert refusal(request(authorization=SIGV4, headers=headers)) == code


_MALFORMED_SIGV4_QUERY = {name: sigv4_query(**{name.removeprefix("X-Amz-"): None}) for name in SIGV4_QUERY} | {
    "algorithm": sigv4_query(Algorithm="AWS4-HMAC-SHA1"),
}
_NEVER_GOOD = {
    "expires 0": sigv4_query(Expires="0"),
    "expires beyond a week": sigv4_query(Expires="604801"),
    "expires negative": sigv4_query(Expires="-1"),
    "expires underscored": sigv4_query(Expires="3_600"),
}


@pytest.mark.parametrize("target", _MALFORMED_SIGV4_QUERY.values(), ids=_MALFORMED_SIGV4_QUERY.keys())
def test_a_malformed_sigv4_url_is_refused(target: str) -> None:
    assert refusal(request(target)) == "InvalidArgument"


@pytest.mark.parametrize("target", _NEVER_GOOD.values(), ids=_NEVER_GOOD.keys())
def test_a_sigv4_url_that_is_good_at_no_time_is_refused(target: str) -> None:
    assert refusal(request(target)) == "AccessDenied"


def test_a_week_is_the_longest_expiry() -> None:
    assert read_claim(request(sigv4_query(Expires="604800"))).window == Window(1700000000, 1700604800)


def test_a_url_and_a_header_that_declare_different_payloads_are_refused() -> None:
    header = (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")
    target = sigv4_query() + "&X-Amz-Content-Sha256=" + "b" * 64
    assert refusal(request(target, [header])) == "InvalidArgument"


@pytest.mark.parametrize("region", ["us-east-1", "ap-guangzhou", "auto", "US"])
def test_any_region_in_a_scope_is_read(region: str) -> None:
    assert read_claim(request(sigv4_query().replace("us-east-1", region))).access_key_id
