"""Reading a Signature Version 2 off a request, and when it may be used."""

from __future__ import annotations

import pytest

from cos.address import Level
from cos.errors import COSError
from cos.signing import Carrier, Claim, SigV2Terms, Window, check_window, read_claim
from tests.support.sigv2_requests import BUCKET, DATE, ID, MOMENT, prove, received, sign

AUTHORIZATION = f"AWS {ID}:{'a' * 27}="
URL = f"/{BUCKET}/k?AWSAccessKeyId={ID}&Expires=1175139620&Signature={'a' * 27}%3D"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (DATE, MOMENT),
        ("Tue, 27 Mar 2007 19:36:42 GMT", MOMENT),
        ("27 Mar 2007 19:36:42 UTC", MOMENT),
        ("20070327T193642Z", MOMENT),
    ],
)
def test_a_date_is_read_in_the_spellings_of_clients(text: str, moment: int) -> None:
    for name in ("Date", "x-amz-date"):
        request, address = received("GET", f"/{BUCKET}/k", [(name, text), ("Authorization", AUTHORIZATION)])
        assert read_claim(request, sigv2_at=address).window == Window(moment, moment)


@pytest.mark.parametrize(
    ("target", "headers", "code"),
    [
        (f"/{BUCKET}/k", [("Authorization", AUTHORIZATION)], "AccessDenied"),
        (f"/{BUCKET}/k", [("Authorization", AUTHORIZATION), ("Date", "1175139620")], "AccessDenied"),
        (f"/{BUCKET}/k", [("Authorization", AUTHORIZATION), ("Date", "27 Mar 2007 19:36:42 CET")], "AccessDenied"),
        (f"/{BUCKET}/k", [("Authorization", AUTHORIZATION), ("x-amz-date", "Bad Date")], "AccessDenied"),
        (f"/{BUCKET}/k", [("Authorization", AUTHORIZATION), ("Date", "27 Mar 1950 19:36:42 GMT")], "AccessDenied"),
        (f"/{BUCKET}/k", [("Authorization", AUTHORIZATION), ("Date", "Tue, 31 Feb 2007 19:36:42 GMT")], "AccessDenied"),
        (f"/{BUCKET}/k", [("Authorization", f"AWS {ID}"), ("Date", DATE)], "SignatureDoesNotMatch"),
        (f"/{BUCKET}/k", [("Authorization", f"AWS {ID}:abc"), ("Date", DATE)], "SignatureDoesNotMatch"),
        (f"/{BUCKET}/k", [("Authorization", f"AWS a b:{'a' * 27}="), ("Date", DATE)], "InvalidArgument"),
        (URL, [("Authorization", AUTHORIZATION), ("Date", DATE)], "AccessDenied"),
        (f"{URL}&X-Amz-Signature=1", [], "AccessDenied"),
        (URL.replace("&Expires=1175139620", ""), [], "InvalidArgument"),
        (URL.replace("1175139620", "soon"), [], "InvalidArgument"),
        (URL.replace(f"AWSAccessKeyId={ID}&", ""), [], "InvalidArgument"),
        (f"{URL}&Signature=b", [], "InvalidArgument"),
    ],
    ids=[
        "no date", "a number as date", "another zone", "no date at all",
        "before time", "no such day", "no signature", "short signature", "odd id",
        "header and query", "version 4 as well", "no expiry", "expiry no number", "no id", "two signatures",
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(target: str, headers: list[tuple[str, str]], code: str) -> None:
    request, address = received("GET", target, headers)
    with pytest.raises(COSError) as caught:
        read_claim(request, sigv2_at=address)
    assert caught.value.code == code


def test_a_url_says_nothing_of_chunks() -> None:
    request, address = received("PUT", URL, [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")])
    with pytest.raises(COSError, match=r"NotImplemented: .*presigned"):
        read_claim(request, sigv2_at=address)


@pytest.mark.parametrize(
    ("target", "headers"),
    [(f"/{BUCKET}/k", [("Authorization", AUTHORIZATION)]), (URL, []), (f"/{BUCKET}/k?Signature=x", [])],
    ids=["header", "url", "one parameter of a url"],
)
def test_where_it_is_not_accepted_the_answer_says_what_is(target: str, headers: list[tuple[str, str]]) -> None:
    request, _ = received("GET", target, headers)
    with pytest.raises(COSError, match=r"InvalidRequest: .*Please use AWS4-HMAC-SHA256\.$"):
        read_claim(request)


# --- when it may be used -------------------------------------------------------------------------------------


def window_refusal(claim: Claim, now: int) -> str | None:
    try:
        check_window(claim, now=now)
    except COSError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("after", "code"),
    [(-901, "RequestTimeTooSkewed"), (-900, None), (0, None), (900, None), (901, "RequestTimeTooSkewed")],
)
def test_a_header_is_good_around_its_moment(after: int, code: str | None) -> None:
    _, _, headers, host = sign("GET", f"/{BUCKET}/k", [("Date", DATE)])
    assert window_refusal(prove(*received("GET", f"/{BUCKET}/k", headers, host)), MOMENT + after) == code


@pytest.mark.parametrize(
    ("left", "code"), [(-1, "AccessDenied"), (0, None), (604_800, None), (604_801, "AccessDenied")]
)
def test_a_url_is_good_until_it_expires_and_no_longer_than_a_week(left: int, code: str | None) -> None:
    claim = Claim(
        carrier=Carrier.QUERY,
        access_key_id=ID,
        window=Window(0, MOMENT),
        signed_headers=(),
        signed_parameters=None,
        signature="",
        terms=SigV2Terms(None, str(MOMENT)),
    )
    assert window_refusal(claim, MOMENT - left) == code


def test_of_a_service_nothing_but_the_path_is_signed() -> None:
    _, _, headers, host = sign("GET", "/", [("Date", DATE)])
    request, address = received("GET", "/?max-buckets=2", headers, host)
    assert address.level is Level.SERVICE
    prove(request, address)
