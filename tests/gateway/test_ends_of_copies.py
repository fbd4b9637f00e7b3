"""The ends of a copy are remembered for its next part, and no longer than the bucket registry says the same."""

from __future__ import annotations

import pytest

from cos.address import Address, AddressStyle, Level
from cos.calls import UploadPartCopy
from cos.conditions import NO_CONDITIONS
from cos.copy_source import CopySource
from cos.errors import COSError
from cos.operations import OPERATIONS
from cos.values import Bucket, ObjectKey, PartNumber, Region, UploadId
from gateway.asked import Ends
from gateway.authorize import MAX_ENDS, Authorizer
from gateway.context import Context
from gateway.facts import SourceFacts
from gateway.forward import Forwarder
from gateway.ports import BucketRecord
from gateway.registry.buckets import BucketRegistry
from policies.loading import load_policies
from tests.support.fakes import GUANGZHOU, SHANGHAI, CountingCredentials, RecordingAudit, RecordingUpstream

ACCOUNT = "1250000000"
SOURCE, DESTINATION = Bucket(f"src-{ACCOUNT}"), Bucket(f"dst-{ACCOUNT}")
(COPIES_PART,) = [operation for operation in OPERATIONS if operation.name == "UploadPartCopy"]


def record(name: Bucket, region: Region = GUANGZHOU) -> BucketRecord:
    return BucketRecord(name, region, ACCOUNT)


def registry(*found: BucketRecord) -> BucketRegistry:
    """What a listing of the account has found so far."""
    buckets = BucketRegistry((), listed=["main"])
    buckets.replace("main", ACCOUNT, found)
    return buckets


def authorizer(buckets: BucketRegistry) -> Authorizer:
    facts = SourceFacts(Forwarder(CountingCredentials(), RecordingUpstream()), RecordingAudit().record)
    return Authorizer(buckets, load_policies([]), facts)


def resolve(
    asked: Authorizer, *, key: str = "up/film.mov", region: Region | None = None, number: int = 1
) -> tuple[Ends, Context]:
    """Both ends of a part copy, whose host and source state a region, or none."""
    address = Address(Level.OBJECT, DESTINATION, ObjectKey(key), region, AddressStyle.COS)
    source = CopySource(SOURCE, ObjectKey("public/big.bin"), region)
    call = UploadPartCopy(
        COPIES_PART, address, PartNumber(number), UploadId("u1"), source, byte_range=None, conditions=NO_CONDITIONS
    )
    context = Context("request-id", "192.0.2.7")
    return asked.resolve(context, address, call), context


def test_each_part_of_a_copy_has_the_ends_of_the_first() -> None:
    asked = authorizer(registry(record(SOURCE), record(DESTINATION)))
    first, _ = resolve(asked)
    again, context = resolve(asked, number=2)
    assert again is first
    assert (context.bucket, context.source_bucket) == (record(DESTINATION), record(SOURCE))
    assert (again.bucket, again.source_bucket) == (record(DESTINATION), record(SOURCE))


@pytest.mark.parametrize(
    ("left", "refused"),
    [
        pytest.param([record(DESTINATION)], "source bucket", id="the source is gone"),
        pytest.param([record(SOURCE)], "the bucket", id="the destination is gone"),
        pytest.param([record(SOURCE, SHANGHAI), record(DESTINATION)], "source bucket", id="the source has moved"),
        pytest.param([record(SOURCE), record(DESTINATION, SHANGHAI)], "the bucket", id="the destination has moved"),
    ],
)
def test_what_is_no_longer_registered_there_is_refused_to_the_next_part(left: list[BucketRecord], refused: str) -> None:
    buckets = registry(record(SOURCE), record(DESTINATION))
    asked = authorizer(buckets)
    resolve(asked, region=GUANGZHOU)
    buckets.replace("main", ACCOUNT, left)
    with pytest.raises(COSError, match=refused) as refusal:
        resolve(asked, region=GUANGZHOU)
    assert refusal.value.code == "AccessDenied"


def test_the_next_part_is_sent_to_where_the_bucket_is_now() -> None:
    buckets = registry(record(SOURCE), record(DESTINATION))
    asked = authorizer(buckets)
    resolve(asked)
    buckets.replace("main", ACCOUNT, [record(SOURCE, SHANGHAI), record(DESTINATION, SHANGHAI)])
    ends, context = resolve(asked)
    assert ends.source is not None
    assert (ends.resource.region, ends.source.region) == (SHANGHAI, SHANGHAI)
    assert (context.bucket, context.source_bucket) == (record(DESTINATION, SHANGHAI), record(SOURCE, SHANGHAI))


def test_a_region_that_a_caller_claims_wrongly_is_refused_beside_a_copy_that_claims_none() -> None:
    asked = authorizer(registry(record(SOURCE), record(DESTINATION)))
    resolve(asked)
    with pytest.raises(COSError, match="not registered here in that region"):
        resolve(asked, region=SHANGHAI)


def test_a_refused_source_leaves_the_bucket_that_was_found() -> None:
    context = Context("request-id", "192.0.2.7")
    buckets = registry(record(DESTINATION))
    address = Address(Level.OBJECT, DESTINATION, ObjectKey("up/a"), None, AddressStyle.COS)
    source = CopySource(SOURCE, ObjectKey("public/big.bin"))
    call = UploadPartCopy(
        COPIES_PART, address, PartNumber(1), UploadId("u1"), source, byte_range=None, conditions=NO_CONDITIONS
    )
    with pytest.raises(COSError):
        authorizer(buckets).resolve(context, address, call)
    assert (context.bucket, context.source_bucket) == (record(DESTINATION), None)


def test_only_so_many_ends_are_remembered() -> None:
    asked = authorizer(registry(record(SOURCE), record(DESTINATION)))
    first, _ = resolve(asked, key="up/0")
    for number in range(1, MAX_ENDS):
        resolve(asked, key=f"up/{number}")
    assert resolve(asked, key="up/0")[0] is first
    resolve(asked, key=f"up/{MAX_ENDS}")
    again, _ = resolve(asked, key="up/0")
    assert again == first
    assert again is not first
