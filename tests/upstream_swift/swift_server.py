"""OpenStack Swift, running for tests: a real server with the S3 interface, made by others.

A `SwiftSite` is a `Site` in the S3 dialect, so that the promises kept in front of the embedded COS can be asked for
in front of Swift, word for word. What Swift was asked comes from its own access log.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from cos.signing import Scheme
from emulator.request_log import LogEntry, RequestLog
from emulator.server import RunningEmulator
from gateway.app import running as running_gateway
from gateway.settings import Settings
from tests.support.client import Client, HeaderField
from tests.support.client_process import clean_environment
from tests.support.gateway_server import gateway_settings
from tests.support.http1 import Response
from tests.support.names import ACCOUNT, BUCKETS, CALLER_KEY, FOREIGN, VERSIONED, Bucket, Key
from tests.support.servers import in_background
from tests.support.site import Kind, Site
from tests.upstream_swift.install_swift import FOLDER, PYTHON

SERVER = Path(__file__).with_name("run_swift.py")
REGION = "ap-guangzhou"
"""The one region Swift answers for; every bucket of the gateway in front of it is declared there."""
DOMAIN = f"cos.{REGION}.myqcloud.com"
"""Below which Swift knows bucket names as host names: the gateway sends COS's."""
SWIFT_KEY = Key(f"{ACCOUNT}:gateway", "SwiftHeldTestSecret0000000000001")
"""The credential Swift knows; in front of it, only the gateway holds it."""
START_SECONDS = 30.0
LOG_SECONDS = 10.0
STOP_SECONDS = 10.0
ACCESS = re.compile(
    r"S3 (?P<id>\S+) (?P<method>\S+) (?P<host>\S+) (?P<target>\S+) (?P<status>\d+) (?P<user>\S+) (?P<headers>\S+)"
)
"""`log_msg_template` of the configuration."""
OPERATIONS = (
    ("PUT", {"partNumber", "uploadId"}, "UploadPart"),
    ("POST", {"uploads"}, "InitiateMultipartUpload"),
    ("POST", {"uploadId"}, "CompleteMultipartUpload"),
    ("DELETE", {"uploadId"}, "AbortMultipartUpload"),
)
"""By method and parameters; what the tests count."""


class AccessLog:
    """Swift's log, received as a syslog daemon would. Reading `entries` waits for what is still on its way."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._log = RequestLog()
        self._marks: set[str] = set()
        self._marked = threading.Condition()
        self.lines: list[str] = []
        """Everything that was logged, for whoever looks for a reason."""
        self.proxy_port = 0
        self._reader = threading.Thread(target=self._read, name="swift log", daemon=True)
        self._reader.start()

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._reader.join()
        self._socket.close()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def entries(self) -> list[LogEntry]:
        """Requests answered so far, in order. Raises AssertionError when Swift logs nothing any more."""
        mark = f"/healthcheck?mark={time.monotonic_ns()}"
        ask(self.proxy_port, mark)
        with self._marked:
            assert self._marked.wait_for(lambda: mark in self._marks, LOG_SECONDS), self.lines[-20:]
        return self._log.entries

    def _read(self) -> None:
        while line := self._socket.recv(65535).decode(errors="replace"):
            self.lines.append(line)
            found = ACCESS.search(line)
            if found is None:
                continue
            target = unquote(found["target"])
            if target.startswith("/healthcheck"):
                with self._marked:
                    self._marks.add(target)
                    self._marked.notify_all()
            elif not target.startswith("/v1/"):  # its own questions to itself
                self._log.add(read_entry(found, target))


def read_entry(found: re.Match[str], target: str) -> LogEntry:
    """An S3 request from its line of the access log."""
    names = {name for name, _ in parse_qsl(urlsplit(target).query, keep_blank_values=True)}
    headers = unquote(found["headers"])
    operation = next((name for method, given, name in OPERATIONS if method == found["method"] and given <= names), "")
    source = headers.partition("X-Amz-Copy-Source: ")[2].partition("\n")[0]
    return LogEntry(
        time=time.time(),
        request_id=found["id"],
        method=found["method"],
        host=unquote(found["host"]),
        operation="UploadPartCopy" if operation == "UploadPart" and source else operation,
        key=urlsplit(target).path,
        access_key_id=unquote(found["user"]),
        status=int(found["status"]),
        copy_source=source,
    )


def ask(port: int, target: str) -> None:
    """One unsigned request, whatever the answer."""
    with socket.create_connection(("127.0.0.1", port), LOG_SECONDS) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        while connection.recv(65536):
            pass


@dataclass(frozen=True, slots=True)
class SwiftSite(Site):
    """Swift itself, or the gateway in front of it."""

    emulator: RunningEmulator | None = None  # type: ignore[assignment]  # there is none
    access_log: AccessLog = field(kw_only=True, repr=False)

    @property
    def log(self) -> AccessLog:
        return self.access_log

    async def call(
        self,
        method: str,
        bucket: Bucket,
        key: str = "",
        query: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        headers: Iterable[HeaderField] = (),
        body: bytes = b"",
    ) -> Response:
        return await Site.call(self, method, replace(bucket, region=REGION), key, query, headers, body)

    async def seed_version(self, bucket: Bucket, key: str, body: bytes) -> str:
        answer = await self.put(bucket, key, body)
        assert answer.status == 200, answer
        return answer.header("x-amz-version-id") or ""


@contextmanager
def running_swift() -> Iterator[SwiftSite]:
    """A new Swift without buckets. Its files are on the disk, below var/: it needs extended attributes."""
    for left in FOLDER.glob("run-*"):  # by tests that were killed
        if not Path("/proc", left.name.split("-")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)
    with (
        closing(AccessLog()) as log,
        tempfile.TemporaryDirectory(dir=FOLDER, prefix=f"run-{os.getpid()}-") as folder,
        subprocess.Popen(
            [str(PYTHON), str(SERVER), folder, str(log.port), REGION, DOMAIN],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{SWIFT_KEY.secret_id} {SWIFT_KEY.secret_key}\n")
            process.stdin.flush()
            log.proxy_port = int(process.stdout.readline() or 0)
            assert log.proxy_port, "Swift did not start: see its standard error"
            yield SwiftSite(Kind.SWIFT, Client(log.proxy_port, SWIFT_KEY, Scheme.SIGV4, REGION), access_log=log)
        finally:
            process.stdin.close()
            process.wait(STOP_SECONDS)


async def make_buckets(swift: Site) -> None:
    """The buckets of the tests, one of them with versioning."""
    for bucket in set(BUCKETS) - {FOREIGN}:
        answer = await swift.call("PUT", bucket)
        assert answer.status == 200, answer
    enabled = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    answer = await swift.call("PUT", VERSIONED, query={"versioning": ""}, body=enabled)
    assert answer.status == 200, answer


def settings_before(swift: SwiftSite, folder: Path, *, secret_key: str = SWIFT_KEY.secret_key) -> Settings:
    """A gateway in front of it, with every bucket of ours declared in Swift's region."""
    settings = gateway_settings(f"http://127.0.0.1:{swift.port}", folder)
    (credential,) = settings.credentials
    held = {"name": "swift", "account": ACCOUNT, "secret_id": SWIFT_KEY.secret_id, "secret_key": secret_key}
    return settings.model_copy(
        update={
            "buckets": tuple(bucket.model_copy(update={"region": REGION}) for bucket in settings.buckets),
            "credentials": (type(credential).model_validate(held),),
        }
    )


@contextmanager
def gateway_before(swift: SwiftSite, settings: Settings) -> Iterator[SwiftSite]:
    """The gateway, running with these settings and asked by CALLER_KEY."""
    with in_background(running_gateway(settings)) as gateway:
        yield replace(swift, kind=Kind.GATEWAY, client=Client(gateway.data_port, CALLER_KEY, Scheme.SIGV4, REGION))
