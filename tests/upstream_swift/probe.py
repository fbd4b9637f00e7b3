"""Questions to a server in the S3 dialect, each answered by one line: what it does.

A question is asked of Swift itself and of the gateway in front of it. `s3` is what the documents promise. Where
Swift does something else, `deviations.py` names it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.support.http1 import Response
from tests.support.site import MIB, Site, pattern, quoted_md5

Question = Callable[[Site], Awaitable[str]]
PART = pattern(MIB, seed=80)
DIGITS = b"0123456789"
ETAG = quoted_md5(DIGITS)
OTHER = '"00000000000000000000000000000000"'
PAST = "Thu, 01 Dec 1994 16:00:00 GMT"


@dataclass(frozen=True, slots=True)
class Probe:
    """One question, and the answer of S3."""

    name: str
    ask: Question
    s3: str


PROBES: list[Probe] = []


def probe(name: str, s3: str) -> Callable[[Question], Question]:
    def register(question: Question) -> Question:
        PROBES.append(Probe(name, question, s3))
        return question

    return register


def told(answer: Response) -> str:
    """The status, with the code of an error."""
    return f"{answer.status} {answer.text('Code')}" if answer.status >= 400 and answer.body else str(answer.status)
