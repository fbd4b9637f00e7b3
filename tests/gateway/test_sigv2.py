"""Signature Version 2 through the gateway: for whom it is accepted, and what goes upstream instead of it."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest

from cos.address import Domains, parse_address
from cos.errors import COSError
from cos.request import read_request
from cos.signing import WindowLimits, read_claim
from gateway.authenticate import Authenticator
from gateway.ports import AccessKey, KeyState, SessionTerms
from gateway.secret import Secret
from tests.support.client import target
from tests.support.expect import assert_error, assert_success
from tests.support.fakes import FakeKeys
from tests.support.forms import CONTENT_TYPE, expiration, old_s3_fields, render
from tests.support.gateway_server import sigv2_site
from tests.support.http1 import Response, exchange, render_request
from tests.support.names import CALLER_KEY, EXAMPLE, OLD_KEY, OTHER_CALLER_KEY, SERVER_KEY, Key
from tests.support.site import Site, fresh_key
from tests.support.watch import Watch

HOST = "127.0.0.1:8080"


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sigv2") / "audit.jsonl"


@pytest.fixture(scope="module")
def old_site(emulator_site: Site, audit: Path) -> Iterator[Site]:
    """A gateway that accepts Signature Version 2 of one key, in front of the shared embedded COS."""
    with sigv2_site(emulator_site.emulator, audit.parent) as site:
        yield site


def signature(secret: str, text: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()


async def ask(
    site: Site,
    method: str,
    path: str,
    query: str = "",
    *,
    key: Key = OLD_KEY,
    body: bytes = b"",
    signed_query: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Response:
    """One request signed as the document says, by nothing of the product."""
    date = formatdate(usegmt=True)
    amz = "".join(f"{name}:{value}\n" for name, value in sorted(headers) if name.startswith("x-amz-"))
    content_type = dict(headers).get("content-type", "")
    words = query if signed_query is None else signed_query
    text = f"{method}\n\n{content_type}\n{date}\n{amz}{path}{'?' + words if words else ''}"
    fields = [
        ("host", HOST),
        ("date", date),
        *headers,
        ("authorization", f"AWS {key.secret_id}:{signature(key.secret_key, text)}"),
        ("content-length", str(len(body))),
        ("connection", "close"),
    ]
    raw = render_request(method, path + (f"?{query}" if query else ""), fields, body)
    return await exchange(site.port, raw, head=method == "HEAD")


def path_of(key: str) -> str:
    return f"/{EXAMPLE.name}{target(key)}"


async def test_an_object_goes_there_and_back(old_site: Site, audit: Path) -> None:
    key = fresh_key("old/目录 a+b")
    upstream = Watch(old_site)
    put = await ask(old_site, "PUT", path_of(key), body=b"content", headers=(("x-amz-meta-a", "1"),))
    assert_success(put)
    got = await ask(old_site, "GET", path_of(key))
    assert (got.status, got.body, got.header("x-amz-meta-a")) == (200, b"content", "1")
    seen = upstream.new()
    assert {entry.access_key_id for entry in seen} == {SERVER_KEY.secret_id}
    lines = [json.loads(line) for line in audit.read_text("utf-8").rpartition("\n")[0].splitlines()]
    mine = [line for line in lines if line.get("resource", {}).get("key") == key]
    assert mine
    assert {line["signature"] for line in mine} == {"sigv2"}


async def test_a_list_is_paged(old_site: Site) -> None:
    prefix = fresh_key("old") + "/"
    for name in ("a", "b"):
        assert_success(await ask(old_site, "PUT", path_of(prefix + name), body=b"x"))
    listed = await ask(old_site, "GET", f"/{EXAMPLE.name}/", f"prefix={prefix}&max-keys=1", signed_query="")
    assert_success(listed)
    assert [entry.findtext("Key") for entry in listed.xml().iter("Contents")] == [prefix + "a"]


async def test_parts_are_uploaded_and_joined(old_site: Site) -> None:
    key = fresh_key("old")
    upload = (await ask(old_site, "POST", path_of(key), "uploads")).text("UploadId")
    part = await ask(old_site, "PUT", path_of(key), f"partNumber=1&uploadId={upload}", body=b"part")
    assert_success(part)
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{part.header('etag')}</ETag></Part></CompleteMultipartUpload>"
    )
    assert_success(await ask(old_site, "POST", path_of(key), f"uploadId={upload}", body=body.encode()))
    assert (await ask(old_site, "GET", path_of(key))).body == b"part"


def url(key: str, *, expires: int, method: str = "GET", signer: Key = OLD_KEY) -> str:
    signed = signature(signer.secret_key, f"{method}\n\n\n{expires}\n{path_of(key)}").replace("+", "%2B")
    query = f"AWSAccessKeyId={signer.secret_id}&Expires={expires}&Signature={signed.replace('=', '%3D')}"
    return f"{path_of(key)}?{query}"


async def fetch(site: Site, wanted: str) -> Response:
    return await exchange(site.port, render_request("GET", wanted, [("host", HOST), ("connection", "close")]))


async def test_a_url_is_good_until_it_expires(old_site: Site) -> None:
    key = await old_site.seed(EXAMPLE, b"content", stem="old")
    now = int(time.time())
    assert (await fetch(old_site, url(key, expires=now + 60))).body == b"content"
    late = await fetch(old_site, url(key, expires=now - 1))
    assert_error(late, 403, "AccessDenied")
    assert late.text("Message") == "Request has expired"
    assert_error(await fetch(old_site, url(key, expires=now + 700_000)), 403, "AccessDenied")
    other = url(key, expires=now + 60).replace(target(key), target(fresh_key("old")))
    assert_error(await fetch(old_site, other), 403, "SignatureDoesNotMatch")


NOT_SUPPORTED = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


async def test_a_gateway_that_was_not_told_accepts_none(gateway_site: Site) -> None:
    upstream = Watch(gateway_site)
    for answer in (
        await ask(gateway_site, "PUT", path_of(fresh_key()), key=CALLER_KEY, body=b"x"),
        await fetch(gateway_site, url(fresh_key(), expires=int(time.time()) + 60, signer=CALLER_KEY)),
    ):
        assert_error(answer, 400, "InvalidRequest")
        assert answer.text("Message") == NOT_SUPPORTED
    assert upstream.new() == []


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (CALLER_KEY, "AccessDenied"),
        (Key(OLD_KEY.secret_id, "another secret"), "SignatureDoesNotMatch"),
        (Key(CALLER_KEY.secret_id, "another secret"), "SignatureDoesNotMatch"),
        (OTHER_CALLER_KEY, "InvalidAccessKeyId"),
    ],
    ids=["a key without the label", "a wrong secret", "a wrong secret without the label", "an unknown key"],
)
async def test_other_keys_are_refused(old_site: Site, key: Key, code: str) -> None:
    upstream = Watch(old_site)
    assert_error(await ask(old_site, "PUT", path_of(fresh_key()), key=key, body=b"x"), 403, code)
    assert upstream.new() == []


async def test_the_key_may_use_the_newer_schemes_too(old_site: Site) -> None:
    assert_success(await old_site.put(EXAMPLE, fresh_key("old"), b"x"))


async def test_a_body_in_signed_chunks_is_refused(old_site: Site) -> None:
    headers = (
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-decoded-content-length", "1"),
    )
    body = b"1;chunk-signature=" + b"a" * 64 + b"\r\nx\r\n0;chunk-signature=" + b"a" * 64 + b"\r\n\r\n"
    upstream = Watch(old_site)
    answer = await ask(old_site, "PUT", path_of(fresh_key()), body=body, headers=headers)
    assert_error(answer, 400, "InvalidRequest")
    assert upstream.new() == []


async def send_form(site: Site, key: str, fields: list[tuple[str, str]]) -> Response:
    body = render([("key", key), *fields], b"photo")
    headers = [
        ("host", HOST), ("content-type", CONTENT_TYPE), ("content-length", str(len(body))), ("connection", "close"),
    ]  # fmt: skip
    return await exchange(site.port, render_request("POST", f"/{EXAMPLE.name}", headers, body))


async def test_a_form_is_uploaded(old_site: Site) -> None:
    key = fresh_key("old/form")
    conditions = [{"bucket": EXAMPLE.name}, ["starts-with", "$key", "old/"]]
    assert (await send_form(old_site, key, old_s3_fields(OLD_KEY, conditions))).status == 204
    assert (await old_site.get(EXAMPLE, key)).body == b"photo"


CONDITIONS = [{"bucket": EXAMPLE.name}, ["starts-with", "$key", ""]]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        (old_s3_fields(CALLER_KEY, CONDITIONS), 403, "AccessDenied"),
        (old_s3_fields(Key(OLD_KEY.secret_id, "another"), CONDITIONS), 403, "SignatureDoesNotMatch"),
        (old_s3_fields(OLD_KEY, CONDITIONS, expires=expiration(-1)), 403, "AccessDenied"),
        (old_s3_fields(OLD_KEY, [{"bucket": EXAMPLE.name}]), 403, "AccessDenied"),
        ([*old_s3_fields(OLD_KEY, CONDITIONS), ("x-amz-signature", "a" * 64)], 403, "AccessDenied"),
        (old_s3_fields(OLD_KEY, CONDITIONS)[1:], 400, "InvalidArgument"),
    ],
    ids=["no label", "a wrong secret", "late", "a key nobody signed", "two signatures", "no key id"],
)
async def test_other_forms_are_refused(old_site: Site, fields: list[tuple[str, str]], status: int, code: str) -> None:
    upstream = Watch(old_site)
    assert_error(await send_form(old_site, fresh_key("old"), fields), status, code)
    assert upstream.new() == []


async def test_a_form_is_refused_where_it_is_not_accepted(gateway_site: Site) -> None:
    answer = await send_form(gateway_site, fresh_key("old"), old_s3_fields(CALLER_KEY, CONDITIONS))
    assert_error(answer, 400, "InvalidRequest")
    assert answer.text("Message") == NOT_SUPPORTED


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (AccessKey(OLD_KEY.secret_id, Secret(OLD_KEY.secret_key), "team:a", labels={"sigv2": "allow"}), None),
        (AccessKey(OLD_KEY.secret_id, Secret(OLD_KEY.secret_key), "team:a", labels={"sigv2": "Allow"}), "may not sign"),
        (AccessKey(OLD_KEY.secret_id, Secret(OLD_KEY.secret_key), "team:a"), "may not sign"),
        (
            AccessKey(
                OLD_KEY.secret_id,
                Secret(OLD_KEY.secret_key),
                "team:a",
                labels={"sigv2": "allow"},
                session=SessionTerms("parent", datetime.now(UTC) + timedelta(hours=1)),
            ),
            "may not sign",
        ),
        (
            AccessKey(
                OLD_KEY.secret_id,
                Secret(OLD_KEY.secret_key),
                "team:a",
                labels={"sigv2": "allow"},
                state=KeyState.DISABLED,
            ),
            "disabled",
        ),
    ],
    ids=["allowed", "another spelling", "no label", "a session", "disabled"],
)
def test_only_a_key_in_use_that_is_labelled_is_admitted(key: AccessKey, message: str | None) -> None:
    date = formatdate(usegmt=True)
    path = path_of("k")
    signed = f"AWS {OLD_KEY.secret_id}:{signature(OLD_KEY.secret_key, f'GET{chr(10) * 3}{date}{chr(10)}{path}')}"
    fields = [("host", HOST), ("date", date), ("authorization", signed)]
    request = read_request("GET", path.encode(), [(name.encode(), value.encode()) for name, value in fields])
    address = parse_address(request.host, request.target.path, Domains(gateway=("127.0.0.1",)))
    authenticator = Authenticator(FakeKeys(key), limits=WindowLimits(), sigv2=True)
    claim = read_claim(request, sigv2_at=address)
    if message is None:
        caller = authenticator.authenticate(
            request, address.level, claim, now=time.time(), client_address="", certificate=None
        )
        assert caller.access_key_id == key.id
        return
    with pytest.raises(COSError, match=message):
        authenticator.authenticate(request, address.level, claim, now=time.time(), client_address="", certificate=None)
