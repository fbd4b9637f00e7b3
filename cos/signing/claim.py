"""What a request claims by being signed: which key, for how long, and what the signature covers.

A claim is read, not proved: nothing in it may be trusted before `verify` accepted it. Signature and token are
held but never shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NamedTuple

from msgspec import Struct


class Scheme(StrEnum):
    """How a signature is made."""

    Q_SIGN = "q-sign"
    """COS `q-sign-algorithm=sha1`."""
    SIGV4 = "sigv4"
    """AWS4-HMAC-SHA256."""
    SIGV2 = "sigv2"
    """AWS Signature Version 2, HMAC-SHA1."""


class Carrier(StrEnum):
    """Where a signature travels."""

    HEADER = "header"
    QUERY = "query"


class Window(NamedTuple):
    """Unix seconds, both ends inclusive."""

    start: int
    end: int


class Scope(NamedTuple):
    """What a SigV4 signing key is derived for: `<date>/<region>/<service>/aws4_request`."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


class QSignTerms(Struct, frozen=True, gc=False):
    """The two windows of a COS signature as text, exactly as they were signed: `1700000000;1700010060`.

    `key_window` is what the sign key is good for: whoever learns the sign key may sign until its end.
    """

    scheme: ClassVar[Scheme] = Scheme.Q_SIGN
    sign_time: str
    key_time: str
    key_window: Window


class SigV4Terms(Struct, frozen=True, gc=False):
    """The moment (`20260801T000000Z`), scope and payload declaration of a SigV4 signature.

    `payload` is what the client put in x-amz-content-sha256: 64 hex digits, `UNSIGNED-PAYLOAD` or `STREAMING-…`.
    """

    scheme: ClassVar[Scheme] = Scheme.SIGV4
    moment: str
    scope: Scope
    payload: str


@dataclass(frozen=True, slots=True)
class SigV2Terms:
    """The bucket that the host names, which the signature covers with the path, and the third field as signed.

    `date` is the Date header, empty beside x-amz-date; of a URL or a form the moment it expires.
    """

    scheme: ClassVar[Scheme] = Scheme.SIGV2
    bucket: str | None
    date: str


class Claim(Struct, frozen=True, gc=False):
    """One signature as received.

    `window` is when it may be used: the intersection of sign time and key time; of SigV4 the moment and its
    expiry, or for a SigV4 or SigV2 header the moment alone (`start == end`). A SigV2 URL says only its end.
    `signed_headers` and `signed_parameters` are the lower-case names in list order, percent-encoded in q-sign;
    `signed_parameters` None means all, and in SigV2 those that the scheme covers.
    """

    carrier: Carrier
    access_key_id: str
    window: Window
    signed_headers: tuple[str, ...]
    signed_parameters: tuple[str, ...] | None
    terms: QSignTerms | SigV4Terms | SigV2Terms
    signature: str
    security_token: str | None = None

    def __repr__(self) -> str:
        # Neither the signature nor the token is shown.
        return f"Claim({self.carrier}, {self.access_key_id!r}, {self.window}, {self.terms!r})"

    @property
    def scheme(self) -> Scheme:
        return self.terms.scheme

    @property
    def payload_sha256(self) -> str | None:
        """The lower-case hex SHA-256 the body must have; None when the signature does not cover the body.

        The signature proves only that the client declared this hash. Whoever reads the body compares.
        """
        payload = self.terms.payload if isinstance(self.terms, SigV4Terms) else ""
        return payload if len(payload) == 64 else None
