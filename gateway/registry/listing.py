"""Listing the buckets of an account: GET Service, page by page.

Source: COS API, "GET Service (List Buckets)".
"""

from __future__ import annotations

import structlog

from cos.address import service_host
from cos.errors import COSError
from cos.signing import Scheme, sign
from cos.values import parse_bucket, parse_region
from cos.xml import Element, parse_error, parse_xml
from gateway.inquiry import MAX_ANSWER_BYTES, ask, question
from gateway.ports import BucketRecord, PortError, Upstream, UpstreamCredential

MAX_PAGES = 100
BUCKETS_PER_PAGE = 1000
SIGNATURE_SECONDS = 300

_log = structlog.get_logger(__name__)


class ListingFailed(PortError):
    """An account could not be listed whole. Messages hold COS's code and no secret."""


async def list_buckets(upstream: Upstream, credential: UpstreamCredential, *, now: int) -> list[BucketRecord]:
    """Every bucket of the credential's account. `now` is Unix seconds. Raises ListingFailed, UpstreamError."""
    found: list[BucketRecord] = []
    marker = ""
    for _ in range(MAX_PAGES):
        page = await _page(upstream, credential, marker, now)
        buckets = page.first("Buckets")
        if page.tag != "ListAllMyBucketsResult" or buckets is None:
            raise ListingFailed(f"COS answered the listing of account {credential.account!r} with another document.")
        for entry in buckets.all("Bucket"):
            record = _record(entry, credential.account)
            if record is not None:
                found.append(record)
        if page.text_of("IsTruncated").strip().lower() != "true":
            return found
        following = page.text_of("NextMarker").strip()
        if following <= marker:
            raise ListingFailed(f"COS's listing of account {credential.account!r} does not go on after {marker!r}.")
        marker = following
    raise ListingFailed(f"The listing of account {credential.account!r} has more than {MAX_PAGES} pages.")


async def _page(upstream: Upstream, credential: UpstreamCredential, marker: str, now: int) -> Element:
    query = [("max-keys", str(BUCKETS_PER_PAGE))] + ([("marker", marker)] if marker else [])
    request = sign(
        question("GET", service_host(None), "/", query=query),
        scheme=Scheme.Q_SIGN,
        secret_id=credential.secret_id,
        secret_key=credential.secret_key.reveal(),
        token=credential.token.reveal() if credential.token is not None else None,
        now=now,
        lifetime_seconds=SIGNATURE_SECONDS,
        region="",
    )
    answer = await ask(upstream, request)
    if answer.status != 200:
        error = parse_error(answer.body)
        code = error.code if error is not None else "no code"
        raise ListingFailed(f"COS refused to list account {credential.account!r}: {answer.status}, {code}.")
    try:
        return parse_xml(answer.body, max_bytes=MAX_ANSWER_BYTES)
    except COSError as error:
        raise ListingFailed(f"COS's listing of account {credential.account!r} cannot be read: {error}") from error


def _record(entry: Element, account: str) -> BucketRecord | None:
    """One entry; None for a bucket whose name or region no request could name either."""
    try:
        return BucketRecord(
            parse_bucket(entry.text_of("Name").strip()), parse_region(entry.text_of("Location").strip()), account
        )
    except COSError as error:
        _log.warning("bucket_not_understood", account=account, reason=error.message)
        return None
