"""A program that starts administrators and kills them in the middle of what they do.

`killed_writer.py FOLDER ROUNDS`: each round forks a process that issues keys and rotates the credential `main` in
FOLDER/store.db until SIGKILL ends it. What it knows to be committed it appends to FOLDER/committed, one JSON a line.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from gateway.audit import JsonLinesAuditLog
from gateway.credentials.administration import Administration
from gateway.credentials.changes import Author, Terms
from gateway.credentials.credential_administration import CredentialSecret
from gateway.credentials.key_administration import NewKey
from gateway.credentials.master_key import read_master_keys
from gateway.credentials.vault import Vault
from gateway.secret import Secret
from gateway.stores.database import Database

TERMS = Terms(Author("killed"))


async def write(folder: Path, started: int) -> None:
    """Change the store for ever."""
    committed = os.open(folder / "committed", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    vault = Vault(read_master_keys(folder / "master.key"))
    audit = JsonLinesAuditLog(folder / "audit.jsonl", sync=False)
    async with await Database.open(folder / "store.db") as database:
        administration = Administration(database, vault, audit)
        os.write(started, b".")
        while True:
            issued = await administration.keys.create(NewKey(principal="team:killed"), TERMS)
            assert issued.after is not None
            os.write(committed, json.dumps({"key": issued.after.id}).encode() + b"\n")
            staged = await administration.credentials.stage(
                "main", CredentialSecret("AKIDnext", Secret("next-secret")), TERMS
            )
            assert staged.after is not None
            version = staged.after.versions[-1].version
            await administration.credentials.activate("main", version, TERMS)
            os.write(committed, json.dumps({"version": version}).encode() + b"\n")
            await administration.credentials.remove("main", staged.after.versions[0].version, TERMS)


def main(folder: Path, rounds: int) -> None:
    """Fork, wait a moment, kill; as often as asked."""
    chance = random.Random(20261122)
    for _ in range(rounds):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            asyncio.run(write(folder, write_end))
            os._exit(1)
        os.close(write_end)
        if not os.read(read_end, 1):
            raise SystemExit("an administrator could not open the store")
        os.close(read_end)
        time.sleep(chance.uniform(0, 0.06))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise SystemExit(f"an administrator ended by itself: {status}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
