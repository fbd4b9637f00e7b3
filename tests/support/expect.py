"""What every answer of a COS must look like, asserted in one place.

Source: COS API, "Common Response Headers" (436/7729) and "Error Codes" (436/7730); reference page §6.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tests.support.http1 import Response

ERROR_ELEMENTS = ("Code", "Message", "Resource", "RequestId", "TraceId")
_MAX_CLOCK_DIFFERENCE = timedelta(seconds=60)


def assert_common_headers(answer: Response) -> None:
    """A request ID and a correct Date are on every answer."""
    request_id = answer.header("x-cos-request-id")
    assert request_id, f"no x-cos-request-id on {answer}"
    date = answer.header("date")
    assert date is not None, f"no Date on {answer}"
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT", date), date
    assert abs(parsedate_to_datetime(date) - datetime.now(UTC)) < _MAX_CLOCK_DIFFERENCE


def assert_error(answer: Response, status: int, *codes: str) -> None:
    """An error of this status and one of these codes, its body flat, complete and about this very request."""
    assert answer.status == status, f"expected {status} {codes}, got {answer.status}: {answer.body[:600]!r}"
    assert_common_headers(answer)
    assert (answer.header("content-type") or "").partition(";")[0] == "application/xml", answer.headers
    root = answer.xml()
    assert root.tag == "Error", answer.body
    assert all(len(child) == 0 for child in root), f"nested elements: {answer.body!r}"
    for name in ERROR_ELEMENTS:
        assert answer.text(name).strip(), f"<{name}> is missing or empty: {answer.body!r}"
    assert answer.text("RequestId") == answer.header("x-cos-request-id")
    assert answer.text("Code") in codes, f"expected {codes}, got {answer.text('Code')}: {answer.text('Message')}"


def assert_success(answer: Response) -> None:
    """200, and no `<Error>` hidden in the body."""
    assert answer.status == 200, f"expected 200, got {answer.status}: {answer.body[:600]!r}"
    assert_common_headers(answer)
    assert b"<Error>" not in answer.body, answer.body
