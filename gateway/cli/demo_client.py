"""A small COS client for the guided copy: signs with a gateway-issued key and talks to one endpoint.

It is not an SDK; it shows with the product's own parts what an SDK does.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from cos.address import cos_host
from cos.rewrite import UpstreamRequest
from cos.signing import Scheme, sign
from cos.target import Parameter, render_path, render_query
from cos.values import Bucket, Region
from cos.xml import parse_xml
from gateway.secret import Secret
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.settings import UpstreamSettings

MAX_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """An object: bucket with its APPID, region and key."""

    bucket: Bucket
    region: Region
    key: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key} ({self.region})"

    @property
    def as_source(self) -> bytes:
        """As the value of `x-cos-copy-source`."""
        return cos_host(self.bucket, self.region).encode("ascii") + render_path(b"/" + self.key.encode("utf-8"))


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole small answer."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def element(self, name: str) -> str:
        """The text of an element below the root; empty when there is none."""
        if not self.body:
            return ""
        return parse_xml(self.body, max_bytes=MAX_ANSWER_BYTES).text_of(name)


class DemoClient:
    """Signs and sends requests for one key pair. Raises ports.UpstreamError when nobody answers."""

    def __init__(self, endpoint: str, secret_id: str, secret_key: Secret) -> None:
        self._http = HttpUpstream(UpstreamSettings(endpoint=endpoint))
        self._secret_id = secret_id
        self._secret_key = secret_key

    async def call(
        self,
        method: str,
        place: Place,
        query: tuple[tuple[str, str], ...] = (),
        headers: tuple[tuple[bytes, bytes], ...] = (),
        body: bytes = b"",
    ) -> Answer:
        """Send one request and read its answer whole."""
        response = await self._http.send(self._signed(method, place, query, headers, body), body)
        try:
            content = b"".join([piece async for piece in response.stream()])
        finally:
            await response.aclose()
        return Answer(response.status, dict(response.headers), content)

    async def download(self, place: Place) -> AsyncIterator[bytes]:
        """The object's bytes, in pieces."""
        response = await self._http.send(self._signed("GET", place, (), (), b""), b"")
        try:
            if response.status != 200:
                raise ValueError(f"expected to read {place}, got status {response.status}")
            async for piece in response.stream():
                yield piece
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    def _signed(
        self,
        method: str,
        place: Place,
        query: tuple[tuple[str, str], ...],
        headers: tuple[tuple[bytes, bytes], ...],
        body: bytes,
    ) -> UpstreamRequest:
        path = b"/" + place.key.encode("utf-8")
        parameters = tuple(Parameter(name, value) for name, value in query)
        length = ((b"content-length", b"%d" % len(body)),) if method in ("PUT", "POST") else ()
        request = UpstreamRequest.of(
            method=method,
            host=cos_host(place.bucket, place.region),
            path=path,
            query=parameters,
            target=render_path(path) + (b"?" + render_query(parameters) if parameters else b""),
            headers=(*headers, *length),
        )
        return sign(
            request,
            scheme=Scheme.Q_SIGN,
            secret_id=self._secret_id,
            secret_key=self._secret_key.reveal(),
            token=None,
            now=int(time.time()),
            lifetime_seconds=600,
            region=place.region,
        )
