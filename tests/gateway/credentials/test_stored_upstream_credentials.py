"""Which credential opens which bucket."""

from __future__ import annotations

import pytest

from cos.values import parse_bucket, parse_region
from gateway.credentials.envelope import RecordType
from gateway.credentials.master_key import MasterKey, new_master_key
from gateway.credentials.upstream import MAX_CHOICES, StoredUpstreamCredentials
from gateway.credentials.upstream_credentials import HeldCredentials
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import BucketRecord, CredentialUnavailable, Sealed, StoreUnavailable, UpstreamCredential
from gateway.secret import Secret
from gateway.stores.database import Database
from gateway.stores.errors import RecordExists

STORED_SECRET = "canary-stored-2b61"
CONFIGURED = UpstreamCredential("static", "1250000009", "AKIDstatic", Secret("canary-static"), Secret("canary-token"))


def bucket(account: str = "1250000000", credential: str | None = None) -> BucketRecord:
    return BucketRecord(parse_bucket(f"media-{account}"), parse_region("ap-guangzhou"), account, credential)


@pytest.fixture
def watch(database: Database) -> StoreWatch:
    return StoreWatch(database)


async def store(held_credentials: HeldCredentials, watch: StoreWatch, *names_and_accounts: tuple[str, str]) -> None:
    for name, account in names_and_accounts:
        await held_credentials.add(
            name=name, account=account, secret_id=f"AKID-{name}", secret_key=Secret(f"{STORED_SECRET}-{name}")
        )
    await watch.refresh()


async def test_a_bucket_is_opened_by_the_credential_of_its_account(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault
) -> None:
    await store(held_credentials, watch, ("one", "1250000000"), ("two", "1250000001"))
    credentials = StoredUpstreamCredentials(watch, vault, configured=[CONFIGURED])
    for account, name in (("1250000000", "one"), ("1250000001", "two")):
        opened = credentials.open_for(bucket(account))
        assert (opened.name, opened.account, opened.secret_id) == (name, account, f"AKID-{name}")
        assert opened.secret_key.reveal() == f"{STORED_SECRET}-{name}"
        assert opened.token is None
    assert credentials.open_for(bucket("1250000009")) is CONFIGURED


async def test_a_named_credential_goes_before_the_account(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault
) -> None:
    await store(held_credentials, watch, ("reader", "1250000000"), ("writer", "1250000000"))
    credentials = StoredUpstreamCredentials(watch, vault, configured=[CONFIGURED])
    assert credentials.open_for(bucket(credential="writer")).name == "writer"
    assert credentials.open_for(bucket(credential="static")) is CONFIGURED


async def test_two_credentials_that_fit_are_not_guessed_between(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault
) -> None:
    await store(held_credentials, watch, ("reader", "1250000000"), ("writer", "1250000000"))
    credentials = StoredUpstreamCredentials(watch, vault)
    with pytest.raises(CredentialUnavailable, match=r"account '1250000000', got \['reader', 'writer'\]") as refusal:
        credentials.open_for(bucket())
    assert "canary" not in str(refusal.value)
    assert not vault.opened


@pytest.mark.parametrize(
    ("record", "named"),
    [
        (bucket("1250000007"), "1250000007"),
        (bucket(credential="gone"), "gone"),
        (bucket(credential="ONE"), "ONE"),
        (bucket(credential=""), "''"),
    ],
    ids=["unknown account", "unknown name", "another case", "empty name"],
)
async def test_a_bucket_without_a_credential_is_refused_and_nothing_is_opened(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault, record: BucketRecord, named: str
) -> None:
    await store(held_credentials, watch, ("one", "1250000000"))
    credentials = StoredUpstreamCredentials(watch, vault, configured=[CONFIGURED])
    with pytest.raises(CredentialUnavailable, match=named):
        credentials.open_for(record)
    assert not vault.opened
    assert credentials.opened_for == 0


async def test_the_service_is_opened_by_the_only_credential_or_the_default(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault
) -> None:
    credentials = StoredUpstreamCredentials(watch, vault)
    await watch.refresh()
    with pytest.raises(CredentialUnavailable, match="without a bucket"):
        credentials.open_for(None)
    await store(held_credentials, watch, ("one", "1250000000"))
    assert credentials.open_for(None).name == "one"
    await store(held_credentials, watch, ("two", "1250000001"))
    with pytest.raises(CredentialUnavailable, match="got none"):
        credentials.open_for(None)
    await store(held_credentials, watch, ("default", "1250000002"))
    assert credentials.open_for(None).name == "default"


async def test_only_the_active_version_is_used_and_a_switch_takes_effect(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault
) -> None:
    await store(held_credentials, watch, ("one", "1250000000"))
    credentials = StoredUpstreamCredentials(watch, vault)
    await held_credentials.stage("one", secret_id="AKIDnext", secret_key=Secret("next"))
    await watch.refresh()
    assert credentials.open_for(bucket()).secret_id == "AKID-one"
    await held_credentials.activate("one", 2)
    await watch.refresh()
    opened = credentials.open_for(bucket())
    assert (opened.secret_id, opened.secret_key.reveal()) == ("AKIDnext", "next")
    await held_credentials.remove("one", 2)
    await watch.refresh()
    with pytest.raises(CredentialUnavailable):
        credentials.open_for(bucket())


async def test_what_was_chosen_for_a_bucket_holds_until_the_credentials_change(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault
) -> None:
    await store(held_credentials, watch, ("one", "1250000000"))
    credentials = StoredUpstreamCredentials(watch, vault)
    record, source = bucket(), bucket("1250000000", credential="one")
    for _ in range(2):
        assert credentials.open_for(record).secret_id == "AKID-one"
        assert credentials.open_for(record, source).secret_id == "AKID-one"
        assert credentials.open_for(None).secret_id == "AKID-one"
    await held_credentials.stage("one", secret_id="AKIDnext", secret_key=Secret("next"))
    await held_credentials.activate("one", 2)
    await watch.refresh()
    assert credentials.open_for(record).secret_key.reveal() == "next"
    assert credentials.open_for(record, source).secret_key.reveal() == "next"
    credentials.configure([CONFIGURED])
    for given in ((record, source), (record, None), (source, record)):
        assert credentials.open_for(*given).secret_id == "AKIDnext"
    with pytest.raises(CredentialUnavailable):
        credentials.open_for(None)
    await held_credentials.remove("one", 2)
    await watch.refresh()
    for given in ((record, source), (record, None)):
        with pytest.raises(CredentialUnavailable):
            credentials.open_for(*given)


async def test_buckets_beyond_those_remembered_are_opened_all_the_same(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault
) -> None:
    await store(held_credentials, watch, ("one", "1250000000"), ("two", "1250000001"))
    credentials = StoredUpstreamCredentials(watch, vault)
    for number in range(MAX_CHOICES + 2):
        account = f"125000000{number % 2}"
        assert credentials.open_for(bucket(account)).account == account


async def test_a_secret_is_opened_when_used_and_then_remembered(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault
) -> None:
    await store(held_credentials, watch, ("one", "1250000000"), ("two", "1250000001"))
    credentials = StoredUpstreamCredentials(watch, vault)
    assert not vault.opened
    for _ in range(4):
        credentials.open_for(bucket())
    assert vault.opened == {RecordType.UPSTREAM_CREDENTIAL: 1}
    assert credentials.opened_for == 4


async def test_without_a_master_key_no_credential_is_given_configured_or_not(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault
) -> None:
    await store(held_credentials, watch, ("one", "1250000000"))
    credentials = StoredUpstreamCredentials(watch, vault, configured=[CONFIGURED])
    credentials.open_for(bucket())
    vault.load([])
    for record in (bucket(), bucket("1250000009"), None):
        with pytest.raises(Sealed):
            credentials.open_for(record)


async def test_a_wholly_static_set_up_needs_no_master_key(watch: StoreWatch, vault: Vault) -> None:
    await watch.refresh()
    vault.load([])
    credentials = StoredUpstreamCredentials(watch, vault, configured=[CONFIGURED])
    assert credentials.open_for(None) is CONFIGURED


async def test_a_credential_of_another_master_key_is_unavailable(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault, master_key: MasterKey
) -> None:
    await store(held_credentials, watch, ("one", "1250000000"))
    vault.load([new_master_key()])
    with pytest.raises(CredentialUnavailable, match=master_key.id):
        StoredUpstreamCredentials(watch, vault).open_for(bucket())


async def test_a_store_that_was_never_read_gives_nothing(watch: StoreWatch, vault: Vault) -> None:
    with pytest.raises(StoreUnavailable):
        StoredUpstreamCredentials(watch, vault, configured=[CONFIGURED]).open_for(bucket("1250000009"))


async def test_a_name_in_two_places_is_refused(
    held_credentials: HeldCredentials, watch: StoreWatch, vault: Vault
) -> None:
    with pytest.raises(RecordExists, match="static"):
        StoredUpstreamCredentials(watch, vault, configured=[CONFIGURED, CONFIGURED])
    await store(held_credentials, watch, ("static", "1250000000"))
    credentials = StoredUpstreamCredentials(watch, vault, configured=[CONFIGURED])
    with pytest.raises(RecordExists, match="static"):
        credentials.ensure_no_duplicates()
    with pytest.raises(CredentialUnavailable, match=r"\['static', 'static'\]"):
        credentials.open_for(bucket(credential="static"))
