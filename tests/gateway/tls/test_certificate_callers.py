"""Client certificates at the running gateway: a stolen key is useless, an unsigned request has an owner, or none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from cos.signing import Scheme
from gateway.app import Gateway, running
from gateway.configuration.tls import TlsSettings
from gateway.settings import KeySettings
from tests.support import forms
from tests.support.certificates import Authority, Issued, client_context
from tests.support.client import Client, target
from tests.support.gateway_server import PRINCIPAL, gateway_settings
from tests.support.http1 import MalformedAnswer, Response
from tests.support.names import CALLER_KEY, EXAMPLE, OTHER_CALLER_KEY, Key
from tests.support.site import Site, fresh_key
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.watch import Watch

OTHER = "team:other"
NOT_WITH_THIS = "The access key may not be used with this connection's client certificate."


@dataclass(frozen=True, slots=True)
class Certified:
    """A gateway that asks for client certificates, and what to present."""

    gateway: Gateway
    authority: Authority
    folder: Path
    own: Issued
    others: Issued
    nobodys: Issued

    def client(self, presented: Issued | None, key: Key | None = CALLER_KEY, **changes: Any) -> Client:
        tls = client_context(self.authority, presented, self.folder)
        return replace(Client(self.gateway.data_port, key, tls=tls), **changes)

    def mark(self) -> int:
        """Where the audit log ends now, for `audited`."""
        path = self.folder / "audit.jsonl"
        return path.stat().st_size if path.exists() else 0

    async def audited(self, mark: int) -> list[dict[str, Any]]:
        """The audit lines of the one request since the mark."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                written = (self.folder / "audit.jsonl").read_bytes()[mark:]
                events = [json.loads(line) for line in written.splitlines()] if written.endswith(b"\n") else []
                if any(event["type"] == "outcome" for event in events):
                    return events
                await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@asynccontextmanager
async def certified(cos: Site, folder: Path, **changes: Any) -> AsyncIterator[Certified]:
    authority = Authority()
    authority.server().write(folder / "tls.pem", folder / "tls.key")
    (folder / "ca.pem").write_bytes(authority.pem)
    tls = TlsSettings.model_validate(
        {
            "certificate": folder / "tls.pem",
            "key": folder / "tls.key",
            "client_certificates": "optional",
            "client_ca": folder / "ca.pem",
            "client_principals": {"cn:conformance": PRINCIPAL, "uri:spiffe://example.com/other/*": OTHER},
        }
        | changes
    )
    settings = gateway_settings(f"http://127.0.0.1:{cos.port}", folder)
    other = KeySettings.model_validate(
        {"id": OTHER_CALLER_KEY.secret_id, "secret": OTHER_CALLER_KEY.secret_key, "principal": OTHER}
    )
    sts = settings.sts.model_copy(update={"port": 0})
    settings = settings.model_copy(update={"tls": tls, "sts": sts, "keys": (*settings.keys, other)})
    async with running(settings) as gateway:
        yield Certified(
            gateway,
            authority,
            folder,
            own=authority.issue(common_names=("conformance",), client=True),
            others=authority.issue(x509.UniformResourceIdentifier("spiffe://example.com/other/7"), client=True),
            nobodys=authority.issue(common_names=("nobody",), client=True),
        )


@pytest.fixture(scope="module")
async def optional(emulator_site: Site, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Certified]:
    async with certified(emulator_site, tmp_path_factory.mktemp("optional")) as found:
        yield found


@pytest.fixture(scope="module")
async def required(emulator_site: Site, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Certified]:
    folder = tmp_path_factory.mktemp("required")
    async with certified(emulator_site, folder, client_certificates="required") as found:
        yield found


@pytest.fixture(scope="module")
async def unsigned(emulator_site: Site, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Certified]:
    folder = tmp_path_factory.mktemp("unsigned")
    async with certified(emulator_site, folder, accept_unsigned=True) as found:
        yield found


@pytest.fixture
def nothing_upstream(emulator_site: Site) -> Iterator[None]:
    watch = Watch(emulator_site)
    yield
    assert watch.new() == []


async def put(client: Client, *, key: str | None = None, **options: Any) -> Response:
    return await client.send("PUT", EXAMPLE.host, f"/{key or fresh_key()}", body=b"content", **options)


# --- keys and certificates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [Scheme.Q_SIGN, Scheme.SIGV4])
async def test_a_key_works_with_its_principals_certificate_and_both_are_audited(
    required: Certified, scheme: Scheme
) -> None:
    mark = required.mark()
    answer = await put(required.client(required.own, scheme=scheme))
    assert answer.status == 200, answer
    events = await required.audited(mark)
    assert [event["type"] for event in events] == ["intent", "outcome"]
    for event in events:
        assert event["principal"] == PRINCIPAL
        assert event["access_key_id"] == CALLER_KEY.secret_id
        assert event["certificate"]["subject"] == "CN=conformance"
        assert event["certificate"]["serial"] == required.own.serial


@pytest.mark.parametrize("scheme", [Scheme.Q_SIGN, Scheme.SIGV4])
@pytest.mark.parametrize("whose", ["others", "nobodys"])
async def test_a_stolen_key_is_useless_without_the_certificate(
    required: Certified, whose: str, scheme: Scheme, nothing_upstream: None
) -> None:
    answer = await put(required.client(getattr(required, whose), scheme=scheme))
    assert (answer.status, answer.text("Code"), answer.text("Message")) == (403, "AccessDenied", NOT_WITH_THIS)


async def test_a_wrong_signature_is_told_before_the_certificate(required: Certified, nothing_upstream: None) -> None:
    answer = await put(required.client(required.others, Key(CALLER_KEY.secret_id, "another secret")))
    assert answer.text("Code") == "SignatureDoesNotMatch"


async def test_without_a_certificate_there_is_no_connection_where_it_is_required(
    required: Certified, nothing_upstream: None
) -> None:
    for presented in (None, Authority().issue(common_names=("conformance",), client=True)):
        with pytest.raises((OSError, MalformedAnswer)):
            await put(required.client(presented))


async def test_where_it_is_optional_keys_also_work_without(optional: Certified) -> None:
    assert (await put(optional.client(None))).status == 200
    assert (await put(optional.client(optional.nobodys))).status == 200
    assert (await put(optional.client(optional.own))).status == 200


async def test_where_it_is_optional_another_principals_certificate_still_refuses(
    optional: Certified, nothing_upstream: None
) -> None:
    answer = await put(optional.client(optional.others))
    assert (answer.status, answer.text("Message")) == (403, NOT_WITH_THIS)


async def test_a_server_certificate_is_no_client_certificate(optional: Certified, nothing_upstream: None) -> None:
    with pytest.raises((OSError, MalformedAnswer)):
        await put(optional.client(optional.authority.issue(common_names=("conformance",))))


async def test_a_form_is_bound_like_any_signed_request(required: Certified) -> None:
    statuses = {}
    for whose in ("own", "others"):
        key = fresh_key()
        fields = forms.cos_fields(CALLER_KEY, [{"bucket": EXAMPLE.name}, {"key": key}])
        body = forms.render([*fields, ("key", key)], b"x")
        statuses[whose] = await required.client(getattr(required, whose), None).send(
            "POST", EXAMPLE.host, "/", headers=[("content-type", forms.CONTENT_TYPE)], body=body
        )
    assert statuses["own"].status == 204, statuses["own"]
    assert (statuses["others"].status, statuses["others"].text("Message")) == (403, NOT_WITH_THIS)


# --- sessions -------------------------------------------------------------------------------------------------------


async def session(site: Certified, presented: Issued) -> Response:
    assert site.gateway.sts_port is not None
    asking = replace(site.client(presented), port=site.gateway.sts_port)
    return await asking.send(
        "POST", "sts.gateway.test", "/v1/session", headers=[("x-cos-content-sha256", sha256(b"").hexdigest())]
    )


async def test_the_sts_port_speaks_tls_and_binds_keys_as_well(required: Certified) -> None:
    refused = await session(required, required.others)
    assert refused.status == 403
    assert json.loads(refused.body)["Error"]["Message"] == NOT_WITH_THIS
    issued = json.loads((await session(required, required.own)).body)
    key = Key(issued["TmpSecretId"], issued["TmpSecretKey"], issued["Token"])
    assert (await put(required.client(required.own, key))).status == 200
    assert (await put(required.client(required.others, key))).text("Message") == NOT_WITH_THIS


# --- requests without a signature -----------------------------------------------------------------------------------


async def test_an_unsigned_request_is_its_certificates_principals(unsigned: Certified, emulator_site: Site) -> None:
    client, key = unsigned.client(unsigned.own, None), fresh_key()
    watch, mark = Watch(emulator_site), unsigned.mark()
    stored = await put(client, key=key)
    assert stored.status == 200, stored
    intent, outcome = await unsigned.audited(mark)
    read = await client.send("GET", EXAMPLE.host, f"/{key}")
    assert (read.status, read.body) == (200, b"content")
    assert len(watch.new()) == 2
    assert outcome["certificate"] == intent["certificate"]
    assert intent["principal"] == PRINCIPAL
    assert intent["access_key_id"] == f"cert:{intent['certificate']['fingerprint']}"
    assert "signature" not in intent


async def test_policy_judges_an_unsigned_request(unsigned: Certified, nothing_upstream: None) -> None:
    mark = unsigned.mark()
    answer = await put(unsigned.client(unsigned.others, None))
    assert (answer.status, answer.text("Code")) == (403, "AccessDenied")
    assert (await unsigned.audited(mark))[-1]["principal"] == OTHER
    assert answer.header("x-cosgw-decision-id")


async def test_an_unsigned_dry_run_is_one(unsigned: Certified, nothing_upstream: None) -> None:
    answer = await put(unsigned.client(unsigned.own, None), headers=[("x-cosgw-dry-run", "true")])
    assert (answer.status, answer.text("Verdict")) == (200, "allow")


async def test_unsigned_chunks_are_taken_apart(unsigned: Certified) -> None:
    client, key = unsigned.client(unsigned.own, None), fresh_key()
    headers = [
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "7"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ]
    chunks = b"7\r\ncontent\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    refused = await client.send("PUT", EXAMPLE.host, f"/{key}", headers=headers, body=chunks)
    assert refused.status == 400, refused
    assert (await client.send("GET", EXAMPLE.host, f"/{key}")).status == 404


@pytest.mark.parametrize("whose", ["nobodys", None])
async def test_unsigned_requests_of_nobody_are_refused(
    unsigned: Certified, whose: str | None, nothing_upstream: None
) -> None:
    answer = await put(unsigned.client(getattr(unsigned, whose) if whose else None, None))
    assert (answer.status, answer.text("Message")) == (403, "Expected a signed request.")


async def test_unsigned_requests_are_refused_unless_the_setting_accepts_them(
    optional: Certified, nothing_upstream: None
) -> None:
    answer = await put(optional.client(optional.own, None))
    assert (answer.status, answer.text("Message")) == (403, "Expected a signed request.")


@pytest.mark.parametrize(
    "header", [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"), ("Origin", "null")]
)
async def test_a_web_page_cannot_borrow_a_browsers_certificate(
    unsigned: Certified, header: tuple[str, str], nothing_upstream: None
) -> None:
    answer = await put(unsigned.client(unsigned.own, None), headers=[header])
    assert (answer.status, answer.text("Message")) == (403, "Expected a signed request from a web page.")


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({}, [("Authorization", "Basic YTpi")]),
        ({}, [("Authorization", "")]),
        ({}, [("x-cos-security-token", "token")]),
        ({"q-ak": CALLER_KEY.secret_id}, []),
        ({"sign": "q-sign-algorithm=sha1"}, []),
        ({"X-Amz-Signature": "0"}, []),
        ({"Signature": "0"}, []),
    ],
    ids=["basic", "empty", "token", "q-ak", "sign", "sigv4", "sigv2"],
)
async def test_a_broken_signature_is_not_none(
    unsigned: Certified, query: dict[str, str], headers: list[tuple[str, str]], nothing_upstream: None
) -> None:
    client, mark = unsigned.client(unsigned.own, None), unsigned.mark()
    answer = await client.send("GET", EXAMPLE.host, target(fresh_key(), query), headers=headers)
    assert answer.status in (400, 403)
    assert "principal" not in (await unsigned.audited(mark))[-1]


async def test_a_signed_request_is_still_judged_by_its_key(unsigned: Certified, nothing_upstream: None) -> None:
    answer = await put(unsigned.client(unsigned.own, OTHER_CALLER_KEY))
    assert (answer.status, answer.text("Message")) == (403, NOT_WITH_THIS)


# --- what operators see ---------------------------------------------------------------------------------------------


async def test_metrics_and_readiness_tell_of_the_certificate(optional: Certified) -> None:
    async def asked(path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", optional.gateway.admin_port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        try:
            return await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        finally:
            writer.close()

    await put(optional.client(None))
    metrics = await asked("/metrics")
    assert b"cosgw_tls_certificate_not_after_seconds 1." in metrics
    assert b'cosgw_tls_handshakes_total{result="done"}' in metrics
    assert b"cosgw_tls_files_refused 0.0" in metrics
    assert b"CN=localhost, serial " in await asked("/readyz?verbose")
    assert optional.gateway.endpoint == f"https://127.0.0.1:{optional.gateway.data_port}"
    assert optional.gateway.admin_endpoint.startswith("http://")
