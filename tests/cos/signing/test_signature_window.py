"""When a signature may be used: both sides of every edge."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.signing import (
    Carrier,
    Claim,
    QSignTerms,
    Scope,
    SigV4Terms,
    Window,
    WindowLimits,
    check_window,
)

NOW = 1_700_000_000
HOUR = 3600
LIMITS = WindowLimits(skew_seconds=900, max_header_seconds=86_400, max_query_seconds=604_800)


def q_sign_claim(start: int, end: int, carrier: Carrier = Carrier.HEADER, key_window: Window | None = None) -> Claim:
    key_window = key_window or Window(start, end)
    return Claim(
        carrier=carrier,
        access_key_id="AK",
        window=Window(start, end),
        signed_headers=("host",),
        signed_parameters=(),
        signature="",
        terms=QSignTerms(f"{start};{end}", f"{key_window.start};{key_window.end}", key_window),
    )


def sigv4_claim(start: int, end: int, carrier: Carrier) -> Claim:
    return Claim(
        carrier=carrier,
        access_key_id="AK",
        window=Window(start, end),
        signed_headers=("host",),
        signed_parameters=None,
        signature="",
        terms=SigV4Terms("", Scope("20231114", "r", "s3"), "UNSIGNED-PAYLOAD"),
    )


EXPIRED = ("AccessDenied", "Request has expired")
SKEWED = ("RequestTimeTooSkewed", None)
TOO_LONG = ("AccessDenied", None)
_CASES = [
    ("in the middle", q_sign_claim(NOW - 60, NOW + 10_000), None),
    ("starts now", q_sign_claim(NOW, NOW + HOUR), None),
    ("ends now", q_sign_claim(NOW - HOUR, NOW), None),
    ("ended a second ago", q_sign_claim(NOW - HOUR, NOW - 1), EXPIRED),
    ("starts within the skew", q_sign_claim(NOW + 900, NOW + HOUR), None),
    ("starts beyond the skew", q_sign_claim(NOW + 901, NOW + HOUR), SKEWED),
    ("header good for a day", q_sign_claim(NOW, NOW + 86_400), None),
    ("header good for longer", q_sign_claim(NOW, NOW + 86_401), TOO_LONG),
    ("url good for a week", q_sign_claim(NOW, NOW + 604_800, Carrier.QUERY), None),
    ("url good for longer", q_sign_claim(NOW, NOW + 604_801, Carrier.QUERY), TOO_LONG),
    (
        "sign key good for longer",
        q_sign_claim(NOW, NOW + HOUR, key_window=Window(NOW, NOW + 86_401)),
        TOO_LONG,
    ),
    ("sigv4 header now", sigv4_claim(NOW, NOW, Carrier.HEADER), None),
    ("sigv4 header 15 min old", sigv4_claim(NOW - 900, NOW - 900, Carrier.HEADER), None),
    ("sigv4 header older", sigv4_claim(NOW - 901, NOW - 901, Carrier.HEADER), SKEWED),
    ("sigv4 header 15 min ahead", sigv4_claim(NOW + 900, NOW + 900, Carrier.HEADER), None),
    ("sigv4 header further ahead", sigv4_claim(NOW + 901, NOW + 901, Carrier.HEADER), SKEWED),
    ("sigv4 url in its last second", sigv4_claim(NOW - 60, NOW, Carrier.QUERY), None),
    ("sigv4 url a second later", sigv4_claim(NOW - 61, NOW - 1, Carrier.QUERY), EXPIRED),
    ("sigv4 url from the future", sigv4_claim(NOW + 901, NOW + HOUR, Carrier.QUERY), SKEWED),
    ("sigv4 url good for longer than a week", sigv4_claim(NOW, NOW + 604_801, Carrier.QUERY), TOO_LONG),
]


@pytest.mark.parametrize(
    ("claim", "refusal"), [case[1:] for case in _CASES], ids=[case[0].replace(" ", "-") for case in _CASES]
)
def test_a_signature_is_good_inside_its_window_only(claim: Claim, refusal: tuple[str, str | None] | None) -> None:
    if refusal is None:
        check_window(claim, now=NOW, limits=LIMITS)
        return
    with pytest.raises(COSError) as caught:
        check_window(claim, now=NOW, limits=LIMITS)
    assert (caught.value.code, caught.value.status) == (refusal[0], 403)
    if refusal[1] is not None:
        assert caught.value.message == refusal[1]


def test_limits_are_the_callers() -> None:
    claim = q_sign_claim(NOW, NOW + 61)
    check_window(claim, now=NOW, limits=WindowLimits(max_header_seconds=61))
    with pytest.raises(COSError, match="60 seconds"):
        check_window(claim, now=NOW, limits=WindowLimits(max_header_seconds=60))
