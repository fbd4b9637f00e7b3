"""What exists for the gateway: declared, found, or not known yet."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from cos.values import Bucket, parse_bucket, parse_region
from gateway.ports import BucketRecord, RegistryUnavailable
from gateway.registry.buckets import BucketRegistry
from gateway.stores.errors import RecordExists

A, B = "1250000000", "1259999999"


def record(name: str = "media", account: str = A, region: str = "ap-guangzhou") -> BucketRecord:
    return BucketRecord(parse_bucket(f"{name}-{account}"), parse_region(region), account)


MEDIA, RAW, NEW = record("media"), record("raw"), record("new")


def test_a_declared_bucket_is_found_by_its_exact_name() -> None:
    registry = BucketRegistry([RAW, MEDIA])
    assert registry.find(MEDIA.name) is MEDIA
    for name in ("media-1250000001", "Media-1250000000", "media", "", "media-1250000000 "):
        assert registry.find(Bucket(name)) is None


def test_a_bucket_is_declared_once() -> None:
    with pytest.raises(RecordExists, match="declared twice"):
        BucketRegistry([RAW, record("raw", region="ap-shanghai")])


def test_what_was_found_is_there_beside_what_is_declared() -> None:
    registry = BucketRegistry([MEDIA], listed=["main"])
    registry.replace("main", A, [RAW, NEW])
    assert registry.records() == [MEDIA, NEW, RAW]
    assert registry.find(NEW.name) is NEW
    assert registry.unlisted == []


def test_what_a_later_listing_does_not_hold_is_gone_unless_it_is_declared() -> None:
    registry = BucketRegistry([MEDIA], listed=["main"])
    registry.replace("main", A, [MEDIA, RAW])
    registry.replace("main", A, [NEW])
    assert registry.records() == [MEDIA, NEW]
    assert registry.find(RAW.name) is None


def test_what_is_declared_goes_before_what_is_found_and_the_difference_is_logged_once() -> None:
    registry = BucketRegistry([MEDIA], listed=["main"])
    elsewhere = record("media", region="ap-shanghai")
    with capture_logs() as logs:
        registry.replace("main", A, [elsewhere])
        registry.replace("main", A, [elsewhere])
    assert registry.find(MEDIA.name) is MEDIA
    conflicts = [line for line in logs if line["event"] == "bucket_declared_otherwise"]
    assert [(line["declared_region"], line["found_region"]) for line in conflicts] == [("ap-guangzhou", "ap-shanghai")]


def test_a_listing_says_nothing_of_another_account() -> None:
    registry = BucketRegistry([], listed=["main", "other"])
    registry.replace("other", B, [])
    with capture_logs() as logs:
        registry.replace("main", A, [RAW, record("stolen", B)])
    assert registry.records() == [RAW]
    assert [line["bucket"] for line in logs if line["event"] == "bucket_of_another_account"] == [f"stolen-{B}"]


def test_one_account_that_vanishes_leaves_the_other() -> None:
    registry = BucketRegistry([], listed=["main", "other"])
    registry.replace("main", A, [RAW])
    registry.replace("other", B, [record("raw", B)])
    registry.replace("other", B, [])
    assert registry.records() == [RAW]


def test_before_its_account_was_listed_a_bucket_is_neither_known_nor_unknown() -> None:
    registry = BucketRegistry([MEDIA], listed=["main"])
    assert registry.find(MEDIA.name) is MEDIA
    for name in (RAW.name, Bucket(f"anything-{B}")):
        with pytest.raises(RegistryUnavailable, match="'main' was not listed yet"):
            registry.find(name)
    registry.expect("main", A)
    assert registry.find(Bucket(f"anything-{B}")) is None
    with pytest.raises(RegistryUnavailable):
        registry.find(RAW.name)
    registry.replace("main", A, [])
    assert registry.find(RAW.name) is None
