"""The request log: what was asked, never what it was signed with."""

from __future__ import annotations

import json
from pathlib import Path

from emulator.request_log import LogEntry
from tests.emulator.emulators import own_site
from tests.support.names import EXAMPLE, SERVER_KEY, SOURCE, Key


async def test_a_request_is_logged_with_what_it_asked(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    heard: list[LogEntry] = []
    async with own_site(request_log=path) as site:
        site.emulator.emulator.log.listen(heard.append)
        key = await site.seed(SOURCE, b"x", stem="源")
        upload = await site.initiate(EXAMPLE)
        await site.copy_part(upload, SOURCE.source(key))
        await site.get(SOURCE, "absent")
        entries = site.emulator.emulator.log.entries
    assert [entry.operation for entry in entries] == [
        "PutObject",
        "InitiateMultipartUpload",
        "UploadPartCopy",
        "GetObject",
    ]
    put, _, copy, absent = entries
    assert (put.method, put.host, put.bucket, put.key) == ("PUT", SOURCE.host, SOURCE.name, key)
    assert (put.access_key_id, put.status, put.error_code) == (SERVER_KEY.secret_id, 200, "")
    assert copy.copy_source == SOURCE.source(key)
    assert (absent.status, absent.error_code) == (404, "NoSuchKey")
    assert len({entry.request_id for entry in entries}) == len(entries)
    assert heard == entries
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [LogEntry(**line) for line in lines] == entries


async def test_the_request_id_is_the_one_the_client_got() -> None:
    async with own_site() as site:
        answer = await site.head(SOURCE, "absent")
        (entry,) = site.emulator.emulator.log.entries
    assert entry.request_id == answer.header("x-cos-request-id")


async def test_no_secret_signature_or_token_is_logged(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    key = Key(SERVER_KEY.secret_id, SERVER_KEY.secret_key, token="a-token-nobody-may-see")
    async with own_site(request_log=path) as site:
        raw = site.client.render("GET", SOURCE.host, "/k")
        signature = raw.partition(b"q-signature=")[2][:40].decode()
        await site.get(SOURCE, "k")
        await site.with_key(key).get(SOURCE, "k")
        await site.with_key(Key(SERVER_KEY.secret_id, "wrong")).get(SOURCE, "k")
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) == 3
    assert len(signature) == 40
    for hidden in (SERVER_KEY.secret_key, signature, "q-signature", "a-token-nobody-may-see"):
        assert hidden not in text


async def test_a_request_that_cannot_be_read_is_logged_too() -> None:
    async with own_site() as site:
        await site.client.send("GET", "not-a-cos-host.example.com", "/")
        (entry,) = site.emulator.emulator.log.entries
    assert (entry.status, entry.error_code, entry.operation) == (400, "InvalidURI", "")
