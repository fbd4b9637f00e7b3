"""Trying a credential on COS before anything depends on it.

A probe lists at most one object of a bucket, or the buckets of the account when none is known: unlike a HEAD, a
listing is refused with a code that tells a wrong key from a right one that may not do this.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cos.address import cos_host, service_host
from cos.signing import EXPIRED_MESSAGE, Scheme, sign
from cos.xml import parse_error
from gateway.inquiry import ask, question
from gateway.ports import BucketRecord, Upstream, UpstreamBroken, UpstreamCredential

SIGNATURE_SECONDS = 300
_NOT_GENUINE = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed"}
)


class Verdict(StrEnum):
    """What COS says to a credential."""

    WORKS = "works"
    DENIED = "denied"
    """The signature is right, the request was refused."""
    REFUSED = "refused"
    """The key, its token or its signature is not accepted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One probe. `place` is the bucket, or None for the account's listing; `code` is COS's, empty when it works."""

    place: str | None
    verdict: Verdict
    code: str = ""

    def __str__(self) -> str:
        place = f"bucket {self.place}" if self.place is not None else "the list of buckets"
        return f"{place}: {self.verdict}{f' ({self.code})' if self.code else ''}"


async def probe(upstream: Upstream, credential: UpstreamCredential, bucket: BucketRecord | None, now: int) -> Finding:
    """Ask COS one harmless question with a credential. `now` is Unix seconds.

    Raises UpstreamError when COS gives no answer that tells anything.
    """
    place = bucket.name if bucket is not None else None
    host = cos_host(bucket.name, bucket.region) if bucket is not None else service_host(None)
    request = sign(
        question("GET", host, "/", query=[("max-keys", "1")]),
        scheme=Scheme.Q_SIGN,
        secret_id=credential.secret_id,
        secret_key=credential.secret_key.reveal(),
        token=credential.token.reveal() if credential.token is not None else None,
        now=now,
        lifetime_seconds=SIGNATURE_SECONDS,
        region=bucket.region if bucket is not None else "",
    )
    answer = await ask(upstream, request)
    if 200 <= answer.status < 300:
        return Finding(place, Verdict.WORKS)
    error = parse_error(answer.body)
    if answer.status >= 500 or error is None:
        raise UpstreamBroken(f"{host} answered {answer.status} to a probe.", sent=True)
    if error.code in _NOT_GENUINE or EXPIRED_MESSAGE in error.message:
        # A signature that has expired the moment it was made: the clock here is behind.
        code = error.code if error.code in _NOT_GENUINE else f"{error.code} ({EXPIRED_MESSAGE})"
        return Finding(place, Verdict.REFUSED, code)
    return Finding(place, Verdict.DENIED, error.code)
