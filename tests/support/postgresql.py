"""A PostgreSQL server of its own in a temporary folder, on loopback, as Debian's packages provide it."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from gateway.secret import Secret
from gateway.stores.postgresql import PostgresqlPlace

USER = "cosgw"
PASSWORD = "canary-database-password"
START_SECONDS = 60


@dataclass(slots=True)
class PostgresqlServer:
    """A running server. `ca_file` has issued its certificate; plain connections are let in as well."""

    port: int
    ca_file: Path
    programs: Path
    user: dict[str, Any]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_database(self) -> PostgresqlPlace:
        """An empty database."""
        name = f"store{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}", database="postgres")
        return self.place(name)

    def place(self, database: str, **changes: Any) -> PostgresqlPlace:
        """A database by its name, as the gateway is told of it."""
        given = {"user": USER, "password": Secret(PASSWORD), **changes}
        return PostgresqlPlace(host="127.0.0.1", port=self.port, database=database, **given)

    def run(self, statement: str, *, database: str) -> str:
        """What psql prints of a statement. Raises CalledProcessError."""
        return subprocess.run(
            [self.programs / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database,
             "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement],
            env={**os.environ, "PGPASSWORD": PASSWORD}, capture_output=True, text=True, check=True, timeout=60,
        ).stdout  # fmt: skip


def programs() -> Path | None:
    """The folder of PostgreSQL's server programs; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


@contextmanager
def postgresql_server(found: Path) -> Iterator[PostgresqlServer]:
    """A server for as long as the block lasts. It refuses to run as root, so root runs it as nobody."""
    nobody = pwd.getpwnam("nobody")
    user: dict[str, Any] = {}
    if os.getuid() == 0:
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
    folder = Path(tempfile.mkdtemp(prefix="cosgw-postgresql-"))
    try:
        _prepare(folder, found, user)
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            port = int(reserved.getsockname()[1])
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [found / "postgres", "-D", folder / "data", "-p", str(port), "-c", "listen_addresses=127.0.0.1",
                 "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "ssl=on",
                 "-c", f"ssl_cert_file={folder}/cert.pem", "-c", f"ssl_key_file={folder}/key.pem"],
                stdout=log, stderr=subprocess.STDOUT, cwd=folder, **user,
            )  # fmt: skip
        try:
            running = PostgresqlServer(port, folder / "ca.pem", found, user)
            _wait(running, server, folder / "log")
            yield running
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    finally:
        shutil.rmtree(folder)


def _prepare(folder: Path, found: Path, user: dict[str, Any]) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "password").write_text(PASSWORD)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o700 if path is folder else 0o600)
        if user:
            os.chown(path, user["user"], user["group"])
    subprocess.run(
        [found / "initdb", "-D", folder / "data", "-U", USER, f"--pwfile={folder}/password", "--no-sync",
         "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"],
        check=True, capture_output=True, timeout=120, cwd=folder, **user,
    )  # fmt: skip


def _wait(running: PostgresqlServer, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            running.run("SELECT 1", database="postgres")
            return
        except subprocess.CalledProcessError:
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
        time.sleep(0.05)
