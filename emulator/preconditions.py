"""Conditions on what a write would replace: If-Match and If-None-Match of PUT Object, its copies, and Complete.

Judged in the transaction that writes, so that of two writers who both saw nothing only one succeeds.

Source: AWS, S3 API, "Conditional writes"; RFC 9110 §13.1. COS's pages name neither header; it answers 412 to a
condition that does not hold, as on reads.
"""

from __future__ import annotations

from cos.conditions import parse_conditions
from cos.errors import COSError
from emulator.exchange import Exchange
from emulator.store.model import BucketRecord
from emulator.store.tables import Tables

_NAMES = ("if-match", "if-none-match")


def check_replaced(exchange: Exchange, tables: Tables, bucket: BucketRecord) -> None:
    """Refuse a write that expects another object to be there, or none.

    Raises COSError: PreconditionFailed, NoSuchKey where an object of a certain ETag is expected and there is none,
    InvalidArgument for what is no ETag.
    """
    values = {}
    for name in _NAMES:
        text = exchange.request.headers.text(name.encode())
        if text:
            values[name] = text
    if not values:
        return
    asked = parse_conditions(values)
    held = tables.objects.current(bucket.name, exchange.key)
    etag = held.content.etag if held is not None and held.content is not None else None
    if asked.if_match is not None:
        if etag is None:
            raise COSError("PreconditionFailed" if asked.if_match == ("*",) else "NoSuchKey")
        if asked.if_match != ("*",) and etag not in asked.if_match:
            raise COSError("PreconditionFailed")
    if (
        asked.if_none_match is not None
        and etag is not None
        and (asked.if_none_match == ("*",) or etag in asked.if_none_match)
    ):
        raise COSError("PreconditionFailed")
