"""Fakes that implement the gateway's ports, and a pipeline built on them. Nothing is patched."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from msgspec import to_builtins

from cos.address import Domains
from cos.headers import AnswerFields, Headers
from cos.rewrite import UpstreamRequest
from cos.signing import Scheme, WindowLimits, sign
from cos.target import Parameter, render_path, render_query
from cos.values import Bucket, Region
from cos.xml import parse_xml
from gateway.access_log import AccessLog, structured_access_log
from gateway.authenticate import Authenticator
from gateway.authorize import Authorizer
from gateway.exchange import ClientGone, Exchange
from gateway.facts import SourceFacts
from gateway.forward import Forwarder
from gateway.limits import InFlight
from gateway.pipeline import Pipeline
from gateway.ports import (
    AccessKey,
    AuditUnavailable,
    BucketRecord,
    CredentialUnavailable,
    Outcome,
    UpstreamCredential,
)
from gateway.relay import Relay
from gateway.secret import Secret
from gateway.telemetry import Telemetry
from policies.decision import ReasonDetail
from policies.loading import DocumentSource, load_policies

COPY_RESULT = b'<CopyPartResult><ETag>"0"</ETag><LastModified>2017-09-04T04:45:45</LastModified></CopyPartResult>'
KEY_ID, KEY_SECRET = "GWAKTESTCALLER00000000000001", "caller-secret-0000000000000001"
UPSTREAM_ID, UPSTREAM_SECRET = "AKIDHELDBYTHESERVER0000000001", "upstream-secret-CANARY-000001"
GUANGZHOU, SHANGHAI = Region("ap-guangzhou"), Region("ap-shanghai")

BUCKETS = {
    "src-1250000000": GUANGZHOU,
    "dst-1250000000": GUANGZHOU,
    "far-1250000000": SHANGHAI,
}

POLICY = """
version: 1
statements:
  - id: copy
    effect: allow
    principals: ["team:test"]
    actions: ["cos:UploadPartCopy", "cos:PutObjectCopy"]
    source: {bucket: src-1250000000, key: "public/*"}
    destination: {bucket: dst-1250000000, key: "up/*"}
    when:
      same_region: true
  - id: small-copies
    effect: allow
    principals: ["team:test"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: src-1250000000, key: "measured/*"}
    destination: {bucket: dst-1250000000, key: "up/*"}
    when:
      range: {max: 1MiB}
  - id: own
    effect: allow
    principals: ["team:test"]
    actions: ["cos:*"]
    resource: {bucket: dst-1250000000, key: "up/*"}
  - id: own-bucket
    effect: allow
    principals: ["team:test"]
    actions: ["cos:GetBucket", "cos:DeleteMultipleObjects", "cos:GetService"]
    resource: {bucket: "*"}
"""


class FakeKeys:
    """ports.AccessKeys over a dictionary."""

    def __init__(self, *keys: AccessKey) -> None:
        self._keys = {key.id: key for key in keys}

    def find(self, access_key_id: str) -> AccessKey | None:
        return self._keys.get(access_key_id)


class FakeBuckets:
    """ports.Buckets over a dictionary of names and regions."""

    generation: object = BUCKETS

    def find(self, bucket: Bucket) -> BucketRecord | None:
        region = BUCKETS.get(bucket)
        if region is None:
            return None
        return BucketRecord(name=bucket, region=region, account="1250000000")


class CountingCredentials:
    """ports.UpstreamCredentials that counts how often a COS secret was opened."""

    def __init__(self) -> None:
        self.opened = 0
        self.unavailable = False

    def open_for(self, bucket: BucketRecord | None, source: BucketRecord | None = None) -> UpstreamCredential:
        if self.unavailable:
            raise CredentialUnavailable("no credential for account '1250000000'")
        self.opened += 1
        return UpstreamCredential("main", "1250000000", UPSTREAM_ID, Secret(UPSTREAM_SECRET))


class RecordingAudit:
    """ports.AuditLog in memory; `broken` makes `record` fail as a full disk does."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.broken = False

    async def record(self, event: Mapping[str, Any], described: bytes | None = None) -> None:
        if self.broken:
            raise AuditUnavailable("cannot write the audit log: No space left on device")
        self._keep(event, described)

    def note(self, event: Mapping[str, Any]) -> None:
        self._keep(event, None)

    def conclude(self, outcome: Outcome, described: bytes) -> None:
        event = to_builtins(outcome)
        del event["time"]
        self._keep(event, described)

    def _keep(self, event: Mapping[str, Any], described: bytes | None) -> None:
        fields = json.loads(b"{" + described[1:]) if described is not None else {}
        assert not event.keys() & fields.keys(), "a field is said once"
        self.events.append({**event, **fields})

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


@dataclass
class ScriptedResponse:
    """ports.UpstreamResponse with a body in pieces; an exception among them is raised when its turn comes."""

    status: int = 200
    headers: Iterable[tuple[bytes, bytes]] = ()
    pieces: Iterable[bytes | Exception | float] = (COPY_RESULT,)
    """Bytes are sent, a number is a wait in seconds, an exception is raised."""
    closed: bool = False
    whole_body: bytes | None = None

    def __post_init__(self) -> None:
        self.headers = AnswerFields.of(self.headers)

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                yield piece
            else:
                await asyncio.sleep(piece)

    async def aclose(self) -> None:
        self.closed = True


class RecordingUpstream:
    """ports.Upstream that keeps what it was sent and answers from a script, in order; the last answer stays."""

    def __init__(self, *answers: ScriptedResponse | Exception) -> None:
        self.answers = list(answers) or [ScriptedResponse()]
        self.requests: list[tuple[UpstreamRequest, bytes]] = []
        self.before_answer: Callable[[], None] = lambda: None

    async def send(
        self,
        request: UpstreamRequest,
        body: AsyncIterator[bytes] | bytes,
        *,
        response_timeout_seconds: float | None = None,
    ) -> ScriptedResponse:
        content = body if isinstance(body, bytes) else b"".join([piece async for piece in body])
        self.requests.append((request, content))
        self.before_answer()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        return


@dataclass
class Answered:
    """What the client of a fake exchange received."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False
    aborted: bool = False

    def element(self, name: str) -> str:
        return parse_xml(self.body, max_bytes=1 << 20).text_of(name)


class PlayedChannel:
    """The server's side of a fake exchange: gives the pieces of a body, takes the answer."""

    def __init__(self, answered: Answered, pieces: Iterable[bytes] = ()) -> None:
        self._answered = answered
        self._incoming = list(pieces)

    async def receive(self) -> tuple[bytes, bool]:
        piece = self._incoming.pop(0) if self._incoming else b""
        return piece, bool(self._incoming)

    async def answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        await self.start(status, headers)
        await self.send(body, last=True)

    async def start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self._answered.status = status
        self._answered.headers = {b"date": formatdate(usegmt=True).encode("ascii"), **dict(headers)}

    async def send(self, piece: bytes, *, last: bool) -> None:
        self._answered.body += piece
        self._answered.complete = last

    def abort(self) -> None:
        self._answered.aborted = True


class Bench:
    """A whole pipeline on fakes, and a signing client for it."""

    def __init__(
        self,
        *answers: ScriptedResponse | Exception,
        policy: str = POLICY,
        max_requests: int = 8,
        hold_seconds: float = 5.0,
        access_log: AccessLog = structured_access_log,
        keys: tuple[AccessKey, ...] = (AccessKey(KEY_ID, Secret(KEY_SECRET), "team:test"),),
        reason_detail: ReasonDetail = ReasonDetail.FULL,
    ) -> None:
        self.upstream = RecordingUpstream(*answers)
        self.credentials = CountingCredentials()
        self.audit = RecordingAudit()
        self.telemetry = Telemetry(access_log)
        forwarder = Forwarder(self.credentials, self.upstream)
        policies = load_policies([DocumentSource("test.yaml", policy)])
        self.in_flight = InFlight(max_requests=max_requests, max_per_principal=max_requests)
        self.pipeline = Pipeline(
            domains=Domains(gateway=("gateway.test",)),
            authenticator=Authenticator(FakeKeys(*keys), limits=WindowLimits()),
            authorizer=Authorizer(
                FakeBuckets(), policies, SourceFacts(forwarder, self.audit.record), reason_detail=reason_detail
            ),
            in_flight=self.in_flight,
            audit=self.audit,
            forwarder=forwarder,
            relay=Relay(hold_seconds=hold_seconds),
            telemetry=self.telemetry,
            copy_timeout_seconds=60,
        )

    async def ask(
        self,
        method: str = "PUT",
        path: str = "/up/film.mov",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | list[bytes] = b"",
        *,
        host: str = "dst-1250000000.cos.ap-guangzhou.myqcloud.com",
        secret_id: str = KEY_ID,
        secret_key: str = KEY_SECRET,
        tampered: Mapping[str, str] | None = None,
        raw_target: bytes | None = None,
        now: int | None = None,
        sign_it: bool = True,
    ) -> Answered:
        """Send one request through the pipeline. `tampered` headers are set after signing."""
        pieces = [body] if isinstance(body, bytes) else body
        length = sum(len(piece) for piece in pieces)
        parameters = tuple(Parameter(name, value) for name, value in (query or {}).items())
        raw_path = path.encode("utf-8")
        fields = {name.lower(): value for name, value in (headers or {}).items()}
        if method in ("PUT", "POST") and "content-length" not in fields and "transfer-encoding" not in fields:
            fields["content-length"] = str(length)
        request = UpstreamRequest.of(
            method=method,
            host=host,
            path=raw_path,
            query=parameters,
            target=render_path(raw_path) + (b"?" + render_query(parameters) if parameters else b""),
            headers=tuple((name.encode(), value.encode()) for name, value in fields.items()),
        )
        if sign_it:
            request = sign(
                request,
                scheme=Scheme.Q_SIGN,
                secret_id=secret_id,
                secret_key=secret_key,
                token=None,
                now=int(time.time()) if now is None else now,
                lifetime_seconds=600,
                region="",
            )
        sent = [(b"host", host.encode()), *request.headers]
        for name, value in (tampered or {}).items():
            sent = [entry for entry in sent if entry[0] != name.lower().encode()]
            sent.append((name.lower().encode(), value.encode()))
        return await self.exchange(method, raw_target or request.target, sent, pieces)

    async def copy_part(self, source: str = "public/big.bin", **changes: Any) -> Answered:
        """One Upload Part - Copy of 1 MiB from the source bucket; `headers` are added."""
        headers = {
            "x-cos-copy-source": f"src-1250000000.cos.ap-guangzhou.myqcloud.com/{source}",
            "x-cos-copy-source-range": "bytes=0-1048575",
            **changes.pop("headers", {}),
        }
        headers = {name: value for name, value in headers.items() if value is not None}
        return await self.ask(query={"partNumber": "1", "uploadId": "u1"}, headers=headers, **changes)

    async def exchange(
        self, method: str, raw_target: bytes, headers: list[tuple[bytes, bytes]], pieces: list[bytes]
    ) -> Answered:
        """Raw bytes in, answer out; the server is played by this method."""
        answered = Answered()
        exchange = Exchange(
            PlayedChannel(answered, pieces),
            method=method,
            raw_target=raw_target,
            headers=Headers.of(headers),
            client_address="192.0.2.7",
            certificate=None,
            request_id="request-id",
            started=time.monotonic(),
        )
        try:
            await self.pipeline.handle(exchange)
        except ClientGone:
            answered.aborted = True
        return answered
