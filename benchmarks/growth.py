"""Growth: does a small copy cost more beside many keys, buckets and statements that do not concern it?

    python3 -m benchmarks.growth [--sizes 10 1000 10000 100000] [--seconds 3] [--rounds 3]

Each size has as many keys, buckets and statements, one statement per principal. The keys are in the store, the buckets
are found by listing an account, the statements stand in documents of 10,000. `ready in` tells how long a start takes
until all of it is known. The figure to compare is CPU per request.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import re
import sqlite3
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from benchmarks import copies, report
from benchmarks.load import BenchmarkFailed, Wrk
from benchmarks.small_copies import LOAD_CORE, PROGRAM_CORE, compare, medians
from benchmarks.subjects import ROOT, Subject, start_gateway, start_nginx
from gateway.credentials.envelope import RecordType, SecretContext
from gateway.credentials.master_key import parse_master_keys
from gateway.credentials.vault import Vault
from gateway.secret import Secret
from gateway.stores.database import Database

CONNECTIONS = 32
READY_SECONDS = 600
STATEMENTS_PER_DOCUMENT = 10_000
BUCKETS_PER_PAGE = 1000
REGION = "ap-guangzhou"
_INSERT_KEY = """
    INSERT INTO access_keys
        (id, version, secret_sealed, principal, label, labels, networks, state, created_at, expires_at)
    VALUES (:id, :version, :secret_sealed, :principal, :label, :labels, :networks, :state, :created_at, :expires_at)
"""
OWN_BUCKETS = ("media-1250000000", "raw-1250000000")


def _bucket(number: int) -> str:
    return f"other{number:06d}-1250000000"


def _documents(folder: Path, count: int) -> Iterator[Path]:
    """Policy documents with `count` statements."""
    for first in range(0, count, STATEMENTS_PER_DOCUMENT):
        statements = [
            {
                "id": f"other-{number}",
                "effect": "allow",
                "principals": [f"team:other{number}"],
                "actions": ["cos:UploadPartCopy"],
                "source": {"bucket": _bucket(number), "key": "incoming/*"},
                "destination": {"bucket": "media-1250000000", "key": f"other{number}/*"},
            }
            for number in range(first, min(count, first + STATEMENTS_PER_DOCUMENT))
        ]
        document = folder / f"others-{first}.yaml"
        document.write_text(yaml.dump({"version": 1, "statements": statements}, Dumper=yaml.CSafeDumper))
        yield document


def _pages(folder: Path, count: int) -> None:
    """GET Service of an account with `count` buckets, a file for each page, named by the marker it follows."""
    names = sorted([*OWN_BUCKETS, *map(_bucket, range(max(0, count - len(OWN_BUCKETS))))])
    marker = ""
    for first in range(0, len(names), BUCKETS_PER_PAGE):
        page = names[first : first + BUCKETS_PER_PAGE]
        entries = "".join(
            f"<Bucket><Name>{name}</Name><Location>{REGION}</Location>"
            "<CreationDate>2026-08-01T08:00:00Z</CreationDate></Bucket>"
            for name in page
        )
        more = first + BUCKETS_PER_PAGE < len(names)
        following = f"<NextMarker>{page[-1]}</NextMarker>" if more else ""
        (folder / f"page-{marker}.xml").write_text(
            "<ListAllMyBucketsResult><Owner><ID>qcs::cam::uin/1:uin/1</ID><DisplayName>1</DisplayName></Owner>"
            f"<Buckets>{entries}</Buckets><IsTruncated>{str(more).lower()}</IsTruncated>{following}"
            "</ListAllMyBucketsResult>"
        )
        marker = page[-1]


async def _keys(path: Path, count: int, master_key: str) -> None:
    """A store with `count` keys. Nobody uses them: one sealed secret does for all, because it is never opened."""
    vault = Vault(parse_master_keys(master_key, source="the benchmark"))
    sealed = vault.seal(Secret("OtherSecret"), SecretContext(RecordType.ACCESS_KEY, "GWAKOTHER", 1, "team:other"))
    rows = [
        {
            "id": f"GWAKOTHER{number:08d}", "version": 1, "secret_sealed": sealed, "created_at": 1_785_000_000,
            "principal": f"team:other{number}", "label": "", "labels": "{}", "networks": "[]", "state": "active",
            "expires_at": None,
        }
        for number in range(count)
    ]  # fmt: skip
    async with await Database.open(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(_INSERT_KEY, rows)
        connection.execute("UPDATE revisions SET revision = revision + 1")
        connection.commit()


def _start(folder: Path, size: int) -> tuple[list[Subject], float]:
    """The gateway beside `size` of everything and its upstream, and the seconds until it was ready."""
    place = folder / f"size-{size}"
    place.mkdir()
    place.chmod(0o755)  # nginx's worker may be another user
    _pages(place, size)
    master_key = place / "master.key"
    master_key.touch(mode=0o600)
    master_key.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    asyncio.run(_keys(place / "gateway.db", size, master_key.read_text()))
    upstream = start_nginx("upstream", "listing.conf", folder, core=LOAD_CORE, pages=place)
    changes: dict[str, Any] = {
        "store": {"path": str(place / "gateway.db")},
        "master_key": {"file": str(master_key)},
        "policies": {"paths": [str(ROOT / "config" / "policies"), *map(str, _documents(place, size))]},
        "buckets": [],
        "discovery": {"credentials": ["main"], "interval_seconds": 3600},
    }
    started = time.monotonic()
    try:
        subject = start_gateway(
            f"{size:,}", folder, f"http://127.0.0.1:{upstream.port}", core=PROGRAM_CORE, changes=changes
        )
        _wait_until_ready(subject)
    except BaseException:
        upstream.program.stop()
        raise
    return [subject, upstream], time.monotonic() - started


def _wait_until_ready(subject: Subject) -> None:
    found = re.search(r"admin (http://\S+?)[,)]", subject.program.log.read_text())
    if found is None:
        raise BenchmarkFailed(f"{subject.name} does not say where its admin port is")
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{found[1]}/readyz", timeout=30):
                return
        except (urllib.error.HTTPError, TimeoutError):
            time.sleep(0.2)
    raise BenchmarkFailed(f"{subject.name} was not ready in {READY_SECONDS} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 1000, 10_000, 100_000])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        subjects: list[Subject] = []
        running: list[Subject] = []
        starts: dict[str, float] = {}
        try:
            for size in chosen.sizes:
                started, seconds = _start(folder, size)
                running += started
                subjects.append(started[0])
                starts[started[0].name] = seconds
            wrk = Wrk(copies.part_copies(), folder, core=LOAD_CORE)
            for subject in subjects:
                wrk.check(subject.port, b"</CopyPartResult>")
            rounds = compare(subjects, wrk, connections=[CONNECTIONS], seconds=chosen.seconds, rounds=chosen.rounds)
            memory = {subject.name: subject.program.memory_mib() for subject in subjects}
        finally:
            for subject in running:
                subject.program.stop()
    found = {subject.name: medians(rounds, subject.name, CONNECTIONS) for subject in subjects}
    least = found[subjects[0].name]
    rows = [
        (
            name,
            one.per_second,
            one.per_second / least.per_second,
            round(one.cpu_per_request),
            round(memory[name]),
            starts[name],
        )
        for name, one in found.items()
    ]
    header = ("keys, buckets, statements", "requests/s", "ratio", "CPU µs", "RSS MiB", "ready in s")
    report.write(
        "growth",
        "Growth",
        {name: {"per_second": one.per_second, "cpu_per_request": one.cpu_per_request, "rss_mib": memory[name],
                "start_seconds": starts[name]} for name, one in found.items()},
        [report.table(header, rows)],
    )  # fmt: skip


if __name__ == "__main__":
    main()
