"""The bucket registry from the configuration."""

from __future__ import annotations

import pytest

from cos.values import parse_bucket, parse_region
from gateway.ports import BucketRecord
from gateway.stores.buckets import ConfiguredBuckets
from gateway.stores.errors import RecordExists

RAW = BucketRecord(parse_bucket("raw-1250000000"), parse_region("ap-shanghai"), "1250000000")
MEDIA = BucketRecord(parse_bucket("media-1250000000"), parse_region("ap-guangzhou"), "1250000000", "writer")


def test_a_declared_bucket_is_found() -> None:
    assert ConfiguredBuckets([RAW, MEDIA]).find(MEDIA.name) is MEDIA


@pytest.mark.parametrize("name", ["raw-1250000001", "ra-1250000000", "raw-125000000"])
def test_a_bucket_that_is_not_declared_does_not_exist(name: str) -> None:
    assert ConfiguredBuckets([RAW, MEDIA]).find(parse_bucket(name)) is None


def test_a_bucket_declared_twice_is_refused() -> None:
    with pytest.raises(RecordExists, match="raw-1250000000"):
        ConfiguredBuckets([RAW, MEDIA, BucketRecord(RAW.name, MEDIA.region, "1250000001")])
