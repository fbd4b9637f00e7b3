"""The emulator proves callers itself: a request signed wrongly cannot pass, whatever sits in front of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from cos.signing import Scheme
from emulator.settings import Account, BucketSpec, Credential, EmulatorSettings
from tests.emulator.emulators import in_scheme, own_site
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import exchange
from tests.support.names import (
    ABSENT,
    ACCOUNT,
    EXAMPLE,
    FARAWAY,
    FOREIGN,
    OTHER_ACCOUNT,
    OTHER_SERVER_KEY,
    SERVER_KEY,
    SOURCE,
    Bucket,
    Key,
)
from tests.support.site import Site

TEMPORARY = Key("AKIDtemporary00000000000000000001", "TemporaryTestSecret0000000001", token="a/token+1=")
EXPIRED = Key("AKIDexpired0000000000000000000001", "ExpiredTestSecret00000000001", token="old")

ACCOUNTS = (
    Account(
        ACCOUNT,
        "100000000001",
        (
            Credential(SERVER_KEY.secret_id, SERVER_KEY.secret_key),
            Credential(TEMPORARY.secret_id, TEMPORARY.secret_key, TEMPORARY.token, expires=time.time() + 3600),
            Credential(EXPIRED.secret_id, EXPIRED.secret_key, EXPIRED.token, expires=time.time() - 1),
        ),
    ),
    Account(OTHER_ACCOUNT, "100000000002", (Credential(OTHER_SERVER_KEY.secret_id, OTHER_SERVER_KEY.secret_key),)),
)
SHARED = Bucket(f"sharedbucket-{OTHER_ACCOUNT}", "ap-shanghai")
BUCKETS = (
    BucketSpec(SOURCE.name, SOURCE.region),
    BucketSpec(EXAMPLE.name, EXAMPLE.region),
    BucketSpec(FARAWAY.name, FARAWAY.region),
    BucketSpec(FOREIGN.name, FOREIGN.region),
    BucketSpec(SHARED.name, SHARED.region, shared_with=(ACCOUNT,)),
)


@pytest.fixture(params=[Scheme.Q_SIGN, Scheme.SIGV4], ids=["q-sign", "sigv4"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with own_site(accounts=ACCOUNTS, buckets=BUCKETS) as opened:
        yield in_scheme(opened, request.param)


async def test_a_right_signature_is_accepted(site: Site) -> None:
    assert_success(await site.put(SOURCE, "k", b"x"))


async def test_an_unsigned_request_is_refused(site: Site) -> None:
    assert_error(await site.with_key(None).get(SOURCE, "k"), 403, "AccessDenied")


async def test_an_unknown_key_is_refused(site: Site) -> None:
    stranger = Key("AKIDstranger000000000000000000001", SERVER_KEY.secret_key)
    assert_error(await site.with_key(stranger).get(SOURCE, "k"), 403, "InvalidAccessKeyId")


async def test_a_wrong_secret_is_refused_and_nothing_is_written(site: Site) -> None:
    forger = Key(SERVER_KEY.secret_id, "NotTheSecret")
    assert_error(await site.with_key(forger).put(SOURCE, "forged", b"x"), 403, "SignatureDoesNotMatch")
    assert_error(await site.get(SOURCE, "forged"), 404, "NoSuchKey")


async def test_a_signature_of_another_target_is_refused(site: Site) -> None:
    raw = site.client.render("GET", SOURCE.host, "/signed").replace(b"GET /signed ", b"GET /other ")
    assert_error(await exchange(site.port, raw), 403, "SignatureDoesNotMatch")


async def test_a_mismatch_shows_what_the_server_would_have_signed() -> None:
    async with own_site() as site:
        answer = await site.with_key(Key(SERVER_KEY.secret_id, "wrong")).get(SOURCE, "k")
    assert answer.text("StringToSign").startswith("sha1\n")
    assert answer.text("FormatString").startswith("get\n/k\n")


async def test_a_late_request_is_refused(site: Site) -> None:
    late = int(time.time()) - 3600
    answer = await site.client.send("GET", SOURCE.host, "/k", now=late)
    assert_error(answer, 403, "AccessDenied", "RequestTimeTooSkewed")


async def test_an_early_request_is_refused(site: Site) -> None:
    early = int(time.time()) + 3600
    assert_error(await site.client.send("GET", SOURCE.host, "/k", now=early), 403, "RequestTimeTooSkewed")


async def test_a_temporary_key_needs_its_token(site: Site) -> None:
    assert_success(await site.with_key(TEMPORARY).put(SOURCE, "k", b"x"))
    for token in (None, "another"):
        bare = Key(TEMPORARY.secret_id, TEMPORARY.secret_key, token)
        assert_error(await site.with_key(bare).put(SOURCE, "k", b"x"), 403, "InvalidAccessKeyId")


async def test_a_permanent_key_comes_without_token(site: Site) -> None:
    odd = Key(SERVER_KEY.secret_id, SERVER_KEY.secret_key, "token")
    assert_error(await site.with_key(odd).get(SOURCE, "k"), 403, "InvalidAccessKeyId")


async def test_an_expired_key_is_refused(site: Site) -> None:
    assert_error(await site.with_key(EXPIRED).get(SOURCE, "k"), 400, "ExpiredToken")


async def test_a_bucket_is_only_found_in_its_region(site: Site) -> None:
    elsewhere = Bucket(SOURCE.name, FARAWAY.region)
    assert_error(await site.put(elsewhere, "k", b"x"), 404, "NoSuchBucket")
    assert_error(await site.put(ABSENT, "k", b"x"), 404, "NoSuchBucket")


async def test_another_account_s_bucket_is_refused(site: Site) -> None:
    assert_error(await site.put(FOREIGN, "k", b"x"), 403, "AccessDenied")
    assert_success(await site.with_key(OTHER_SERVER_KEY).put(FOREIGN, "k", b"x"))
    assert_error(await site.get(FOREIGN, "k"), 403, "AccessDenied")


async def test_a_shared_bucket_may_be_read_and_not_written(site: Site) -> None:
    assert_success(await site.with_key(OTHER_SERVER_KEY).put(SHARED, "k", b"shared"))
    assert (await site.get(SHARED, "k")).body == b"shared"
    assert_error(await site.put(SHARED, "k", b"x"), 403, "AccessDenied")
    assert_error(await site.delete(SHARED, "k"), 403, "AccessDenied")


async def test_a_copy_needs_the_right_to_read_its_source() -> None:
    async with own_site(accounts=ACCOUNTS, buckets=BUCKETS) as site:
        for bucket in (FOREIGN, SHARED):
            assert_success(await site.with_key(OTHER_SERVER_KEY).put(bucket, "k", b"source"))
        upload = await site.initiate(EXAMPLE)
        assert_error(await site.copy_part(upload, FOREIGN.source("k")), 403, "AccessDenied")
        assert_success(await site.copy_part(upload, SHARED.source("k")))
        headers = [("x-cos-copy-source", FOREIGN.source("k"))]
        assert_error(await site.call("PUT", EXAMPLE, "copy", headers=headers), 403, "AccessDenied")


@pytest.mark.parametrize(
    ("accounts", "buckets"),
    [
        ((ACCOUNTS[0], ACCOUNTS[0]), ()),
        ((ACCOUNTS[0], Account("1", "2", ACCOUNTS[0].credentials)), ()),
        ((ACCOUNTS[0],), (BucketSpec(FOREIGN.name, FOREIGN.region),)),
    ],
    ids=["an account twice", "a key twice", "a bucket without account"],
)
def test_settings_that_contradict_themselves_are_refused(
    accounts: tuple[Account, ...], buckets: tuple[BucketSpec, ...]
) -> None:
    with pytest.raises(ValueError, match="expected"):
        EmulatorSettings(accounts=accounts, buckets=buckets)


def test_a_secret_is_in_no_repr() -> None:
    shown = repr(EmulatorSettings(accounts=ACCOUNTS))
    assert SERVER_KEY.secret_id in shown
    for hidden in (SERVER_KEY.secret_key, TEMPORARY.secret_key, TEMPORARY.token or ""):
        assert hidden not in shown
