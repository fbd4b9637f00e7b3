"""When a signature may be used.

Messages and codes are part of the protocol: the Node SDK corrects its clock only on RequestTimeTooSkewed or on
AccessDenied with the message `Request has expired` (and only when the response's Date differs from its own).

Source: reference page §1.5; threat model C4.
"""

from __future__ import annotations

from dataclasses import dataclass

from cos.errors import COSError
from cos.signing.claim import Carrier, Claim, QSignTerms, SigV2Terms

# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_HEADER = Carrier.HEADER
EXPIRED_MESSAGE = "Request has expired"


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """How far clocks may differ and how long a signature may live, in seconds, all inclusive.

    The Python SDK's default header is good for 10,060 s, so a header limit below three hours locks it out.
    """

    skew_seconds: int = 900
    max_header_seconds: int = 86_400
    max_query_seconds: int = 604_800


DEFAULT_LIMITS = WindowLimits()


def check_window(claim: Claim, *, now: int, limits: WindowLimits = DEFAULT_LIMITS) -> None:
    """Refuse a claim outside its window, too far ahead of it, or with a window too long; `now` is Unix seconds.

    Raises COSError(AccessDenied, RequestTimeTooSkewed).
    """
    start, end = claim.window
    terms = claim.terms
    in_header = claim.carrier is _HEADER
    if isinstance(terms, QSignTerms):
        # A sign key is good for its whole key time, so that is what must not be too long.
        first, last = terms.key_window
    elif in_header:
        if abs(now - start) > limits.skew_seconds:
            raise COSError("RequestTimeTooSkewed")
        return
    else:
        if isinstance(terms, SigV2Terms):
            # It says when it ends and not when it began: what is left of it must not be too long.
            start = now
        first, last = start, end
    if now > end:
        raise COSError("AccessDenied", EXPIRED_MESSAGE)
    if now < start - limits.skew_seconds:
        raise COSError("RequestTimeTooSkewed")
    longest = limits.max_header_seconds if in_header else limits.max_query_seconds
    if last - first > longest:
        raise COSError("AccessDenied", f"Expected a signature valid for at most {longest} seconds.")
