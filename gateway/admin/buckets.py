"""The bucket registry: what is declared, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.admin.operations import Call, NoBody, Operation, Reply
from gateway.admin.paging import PageQuery, page_of
from gateway.credentials.views import View
from gateway.ports import BucketRecord
from gateway.stores.admin_tokens import Role


class BucketView(View):
    """A bucket the organisation owns."""

    name: str
    region: str
    account: str
    """The APPID whose credential opens it."""
    credential: str | None
    """Name of the credential to use; null: the account's."""


class BucketPage(View):
    """Buckets, by name."""

    items: list[BucketView]
    next_cursor: str | None
    """Null: this is the last page."""


def bucket_operations(records: Callable[[], Sequence[BucketRecord]]) -> list[Operation[Any, Any]]:
    """The rows of the table. `records` gives the buckets as they are known now."""

    async def page(call: Call[PageQuery, NoBody]) -> Reply:
        views = [
            BucketView(name=record.name, region=record.region, account=record.account, credential=record.credential)
            for record in sorted(records(), key=lambda record: record.name)
        ]
        items, cursor = page_of(views, call.query, lambda view: (0, view.name))
        return Reply(200, BucketPage(items=items, next_cursor=cursor))

    return [
        Operation(
            method="GET", path="/buckets", name="listBuckets", summary="List the bucket registry.",
            role=Role.VIEWER, query=PageQuery, body=NoBody, status=200, answer=BucketPage, handle=page,
        ),
    ]  # fmt: skip
