"""The four ways COS writes a time. All take Unix seconds and write GMT.

Source: reference page §3.4, §4.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate


def http_date(moment: float) -> str:
    """`Mon, 04 Sep 2017 04:45:45 GMT`: the `Date` and `Last-Modified` headers."""
    return formatdate(int(moment), usegmt=True)


def part_copy_date(moment: float) -> str:
    """`2017-09-04T04:45:45`: CopyPartResult, with neither zone nor fraction."""
    return _utc(moment).strftime("%Y-%m-%dT%H:%M:%S")


def copy_date(moment: float) -> str:
    """`2017-09-04T04:45:45Z`: CopyObjectResult and bucket creation dates."""
    return part_copy_date(moment) + "Z"


def listing_date(moment: float) -> str:
    """`2017-09-04T04:45:45.000Z`: listings. The Java SDK demands the three digits."""
    return part_copy_date(moment) + ".000Z"


def _utc(moment: float) -> datetime:
    return datetime.fromtimestamp(int(moment), UTC)
