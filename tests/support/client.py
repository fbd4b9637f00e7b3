"""A signing COS client for tests: exact targets, own header order, either dialect.

It signs with `cos.signing`, whose own tests compare it with signatures made by the real SDKs. Nothing else
of the product is used: what a test wants on the wire is what goes on the wire.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cos import signing
from cos.rewrite import UpstreamRequest
from cos.target import parse_target, percent_encode, render_path
from tests.support.http1 import Response, exchange, render_request
from tests.support.names import Key

HeaderField = tuple[str, str | bytes]
SIGNATURE_LIFETIME_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Client:
    """Sends signed requests to a port on 127.0.0.1, whatever their Host header says.

    `key` None leaves requests unsigned. `region` is the SigV4 scope's. With `tls` it connects to localhost.
    """

    port: int
    key: Key | None
    scheme: signing.Scheme = signing.Scheme.Q_SIGN
    region: str = "ap-shanghai"
    tls: ssl.SSLContext | None = None

    def with_key(self, key: Key | None) -> Client:
        return replace(self, key=key)

    async def send(
        self,
        method: str,
        host: str,
        target: str,
        *,
        headers: Iterable[HeaderField] = (),
        body: bytes = b"",
        unsigned_headers: Iterable[HeaderField] = (),
        now: int | None = None,
    ) -> Response:
        """Sign and send one request; `target` (origin or absolute form) goes out exactly as given.

        `content-length` is added unless the caller frames the body. `unsigned_headers` are appended after
        signing. `now` (Unix seconds) moves the signer's clock.
        """
        raw = self.render(method, host, target, headers=headers, body=body, unsigned_headers=unsigned_headers, now=now)
        return await exchange(self.port, raw, head=method == "HEAD", tls=self.tls)

    def render(
        self,
        method: str,
        host: str,
        target: str,
        *,
        headers: Iterable[HeaderField] = (),
        body: bytes = b"",
        unsigned_headers: Iterable[HeaderField] = (),
        now: int | None = None,
        framed: bool = True,
    ) -> bytes:
        """The bytes `send` would send; `framed` False adds no `content-length`."""
        fields = [(name.encode("ascii"), _bytes(value)) for name, value in headers]
        names = {name.lower() for name, _ in fields}
        unframed = not names & {b"content-length", b"transfer-encoding"}
        if framed and unframed and (body or method in ("PUT", "POST")):
            fields.append((b"content-length", str(len(body)).encode()))
        fields = self._signed(method, host, target, fields, now)
        fields += [(name.encode("ascii"), _bytes(value)) for name, value in unsigned_headers]
        wire = [(b"host", host.encode("ascii")), *fields, (b"connection", b"close")]
        return render_request(method, target, wire, body)

    def _signed(
        self, method: str, host: str, target: str, fields: list[tuple[bytes, bytes]], now: int | None
    ) -> list[tuple[bytes, bytes]]:
        if self.key is None:
            return fields
        parsed = parse_target(target.encode("ascii"))
        request = UpstreamRequest.of(
            method=method,
            host=host,
            path=parsed.path,
            query=parsed.query,
            target=target.encode("ascii"),
            # Signers see lower-case names; the wire keeps the spelling of the test.
            headers=tuple((name.lower(), value.strip(b" \t")) for name, value in fields),
        )
        signed = signing.sign(
            request,
            scheme=self.scheme,
            secret_id=self.key.secret_id,
            secret_key=self.key.secret_key,
            token=self.key.token,
            now=int(time.time()) if now is None else now,
            lifetime_seconds=SIGNATURE_LIFETIME_SECONDS,
            region=self.region,
        )
        sent = {name.lower() for name, _ in fields}
        return fields + [(name, value) for name, value in signed.headers if name not in sent and name != b"host"]


def target(key: str = "", query: Mapping[str, str] | Sequence[tuple[str, str]] = ()) -> str:
    """An origin-form target in the usual spelling; a value of `""` is rendered as a bare name."""
    pairs = query.items() if isinstance(query, Mapping) else query
    rendered = "&".join(percent_encode(n) + (f"={percent_encode(v)}" if v else "") for n, v in pairs)
    path = render_path(b"/" + key.encode("utf-8")).decode("ascii")
    return f"{path}?{rendered}" if rendered else path


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8")
