"""Where master keys come from, and which are refused."""

from __future__ import annotations

import base64
import os
import pickle
from pathlib import Path

import pytest

from gateway.credentials.master_key import (
    MASTER_KEY_BYTES,
    MasterKeyError,
    generate_master_key_file,
    new_master_key,
    parse_master_keys,
    read_master_keys,
)

RAW = bytes.fromhex("9f1c07e35bd2486a11fe30c95a7764d8ab02e19c3d58f0274be691cf0d7a8326")


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "master.key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "text",
    [
        RAW.hex(),
        RAW.hex().upper(),
        base64.b64encode(RAW).decode(),
        base64.b64encode(RAW).decode().rstrip("="),
        base64.urlsafe_b64encode(RAW).decode(),
        f"\n  {base64.b64encode(RAW).decode()} \r\n",
    ],
    ids=["hex", "capital hex", "base64", "base64 without padding", "url-safe base64", "white space around"],
)
def test_every_spelling_of_a_key_is_the_same_key(text: str) -> None:
    (key,) = parse_master_keys(text, source="test")
    assert key.raw == RAW


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "got nothing"),
        (" \n ", "got nothing"),
        (RAW[:31].hex(), "62 characters"),
        ((RAW + b"\x01").hex(), "66 characters"),
        (base64.b64encode(RAW[:16]).decode(), "24 characters"),
        (base64.b64encode(RAW + RAW).decode(), "88 characters"),
        ("change-me", "9 characters"),
        ("00" * 32, "repeats one byte"),
        ("ff" * 32, "repeats one byte"),
        ("A" * 43 + "=", "looks like a passphrase"),
        (bytes(range(32)).hex(), "sequence"),
        (bytes(range(255, 223, -1)).hex(), "sequence"),
        (base64.b64encode(b"correct horse battery staple 123").decode(), "readable text"),
        ("correcthorsebatterystaplecorrecthorsebatter", "looks like a passphrase"),
        ("0123456789abcdef" * 4, "different bytes"),
        ((RAW[:16] * 2).hex(), "different bytes"),
        ((RAW[:19] + RAW[:13]).hex(), "19 different bytes"),
    ],
)
def test_a_weak_or_short_key_is_refused_with_its_reason_and_not_shown(text: str, reason: str) -> None:
    with pytest.raises(MasterKeyError, match=reason) as refusal:
        parse_master_keys(text, source="COSGW_MASTER_KEY")
    assert "COSGW_MASTER_KEY" in str(refusal.value)
    assert not text.strip() or text.strip() not in str(refusal.value)


def test_a_key_with_twenty_different_bytes_is_taken() -> None:
    (key,) = parse_master_keys((RAW[:20] + RAW[:12]).hex(), source="test")
    assert len(set(key.raw)) == 20


def test_fresh_keys_are_always_acceptable() -> None:
    for _ in range(2000):
        key = new_master_key()
        for text in (key.raw.hex(), base64.b64encode(key.raw).decode()):
            assert parse_master_keys(text, source="test")[0].id == key.id


def test_a_source_holds_several_keys_the_current_one_first() -> None:
    keys = [new_master_key() for _ in range(3)]
    lines = "\n".join(key.raw.hex() for key in keys)
    assert [key.id for key in parse_master_keys(lines, source="test")] == [key.id for key in keys]
    assert [key.id for key in parse_master_keys(lines.replace("\n", ","), source="test")] == [key.id for key in keys]


def test_one_weak_key_among_several_is_named_by_its_place() -> None:
    with pytest.raises(MasterKeyError, match=r"key 2"):
        parse_master_keys(f"{RAW.hex()} {'00' * 32}", source="test")


def test_the_same_key_twice_is_refused() -> None:
    with pytest.raises(MasterKeyError, match="twice"):
        parse_master_keys(f"{RAW.hex()} {base64.b64encode(RAW).decode()}", source="test")


def test_the_id_names_the_key_and_holds_nothing_of_it() -> None:
    key, other = new_master_key(), new_master_key()
    assert key.id != other.id
    assert len(key.id) == 16
    assert key.id not in key.raw.hex()
    assert key.derive(b"one") != key.derive(b"two") != key.raw


def test_a_key_is_not_shown_and_not_pickled() -> None:
    (key,) = parse_master_keys(RAW.hex(), source="test")
    assert repr(key) == f"MasterKey(id='{key.id}')"
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(key)


def test_a_generated_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    old = os.umask(0)
    try:
        key = generate_master_key_file(path)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    (read,) = read_master_keys(path)
    assert read.raw == key.raw
    assert len(read.raw) == MASTER_KEY_BYTES


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    path = key_file(tmp_path, b"the only copy")
    with pytest.raises(MasterKeyError, match="never overwritten"):
        generate_master_key_file(path)
    assert path.read_bytes() == b"the only copy"


def test_a_dangling_link_is_not_followed_when_generating(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MasterKeyError):
        generate_master_key_file(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_for_its_owner_only_is_read(tmp_path: Path, mode: int) -> None:
    (key,) = read_master_keys(key_file(tmp_path, RAW.hex().encode(), mode))
    assert key.raw == RAW


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o601, 0o777])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(MasterKeyError, match=f"{mode:04o}"):
        read_master_keys(key_file(tmp_path, RAW.hex().encode(), mode))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path, RAW.hex().encode())
    os.chown(path, 12345, -1)
    with pytest.raises(MasterKeyError, match="got user 12345"):
        read_master_keys(path)


def test_what_is_not_a_readable_text_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match="No such file"):
        read_master_keys(tmp_path / "missing")
    with pytest.raises(MasterKeyError, match="binary"):
        read_master_keys(key_file(tmp_path, RAW))
    with pytest.raises(MasterKeyError, match="at most 4096 bytes"):
        read_master_keys(key_file(tmp_path, b" " * 4097))
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(MasterKeyError, match="regular file"):
        read_master_keys(tmp_path / "pipe")
