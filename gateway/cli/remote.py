"""The admin API from the other side: one connection to a running gateway, its refusals turned into our errors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from gateway.admin.operations import WouldChange
from gateway.admin.paging import MAX_LIMIT
from gateway.admin.problems import Problem
from gateway.cli.output import Refusal
from gateway.configuration.secret_files import read_secret_file
from gateway.secret import Secret
from gateway.stores.errors import InvalidRecord, RecordNotFound

TOKEN_VARIABLE = "COSGW_ADMIN_TOKEN"  # noqa: S105  # the name of a variable
TIMEOUT_SECONDS = 30.0

M = TypeVar("M", bound=BaseModel)


class Rehearsed(Exception):
    """A change was only rehearsed, because the connection is for that; says what would have changed."""

    def __init__(self, would: WouldChange) -> None:
        super().__init__("nothing was changed")
        self.would = would


def read_token(file: Path | None) -> Secret:
    """The admin token, from the environment or a file. Raises Refusal, SecretFileError."""
    if text := os.environ.get(TOKEN_VARIABLE):
        return Secret(text.strip())
    if file is not None:
        return read_secret_file(file)
    raise Refusal(f"--server needs an admin token: in {TOKEN_VARIABLE}, or in a file named by --token-file")


class Asking:
    """A connection to an admin port. Use as an async context manager.

    With `dry_run` every change is rehearsed by the gateway and raises Rehearsed.
    """

    def __init__(self, server: str, token: Secret, *, dry_run: bool = False) -> None:
        """Raises Refusal for a URL that would show the token on its way."""
        _check_server(server)
        if not token.reveal().isascii() or not token.reveal().isprintable():
            raise Refusal("the admin token is not one: it holds letters and digits only")
        self._server = server
        self._dry_run = dry_run
        self._http = httpx.AsyncClient(
            base_url=server.rstrip("/") + "/api/v1",
            headers={"Authorization": f"Bearer {token.reveal()}"},
            timeout=TIMEOUT_SECONDS,
            # A proxy of the environment would see the token.
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        etag: str | None = None,
    ) -> bytes:
        """The body of a successful answer. Raises Refusal, InvalidRecord, RecordNotFound, Rehearsed."""
        headers = {} if etag is None else {"If-Match": f'"{etag}"'}
        rehearsal = self._dry_run and method != "GET"
        parameters = {**(query or {}), **({"dry_run": "true"} if rehearsal else {})}
        try:
            answer = await self._http.request(method, path, json=body, params=parameters, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Refusal(f"{self._server} did not answer: {type(error).__name__}: {error}") from None
        if answer.is_success:
            if rehearsal:
                raise Rehearsed(self._read(WouldChange, answer.content))
            return answer.content
        try:
            problem = Problem.model_validate_json(answer.content)
        except ValidationError:
            raise Refusal(f"{self._server} answered {answer.status_code}; is it a gateway's admin port?") from None
        text = "; ".join(f"{error.field}: {error.message}" for error in problem.errors) or problem.detail
        match answer.status_code:
            case 404:
                raise RecordNotFound(text)
            case 422:
                raise InvalidRecord(text)
        raise Refusal(text)

    async def read(self, model: type[M], method: str, path: str, **request: Any) -> M:
        """The body of a successful answer as a model. Raises as `ask` does."""
        return self._read(model, await self.ask(method, path, **request))

    async def pages(self, model: type[M], path: str) -> list[M]:
        """Every page of a list."""
        pages: list[M] = []
        query = {"limit": str(MAX_LIMIT)}
        while True:
            page = await self.read(model, "GET", path, query=query)
            pages.append(page)
            cursor = getattr(page, "next_cursor", None)
            if cursor is None:
                return pages
            query = {"limit": str(MAX_LIMIT), "cursor": cursor}

    def _read(self, model: type[M], content: bytes) -> M:
        try:
            return model.model_validate_json(content)
        except ValidationError:
            raise Refusal(
                f"{self._server} answered what is no {model.__name__}; is it a gateway's admin port?"
            ) from None


def _check_server(server: str) -> None:
    try:
        parts = urlsplit(server)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        raise Refusal(f"expected --server to be a URL such as http://127.0.0.1:8081, got {server!r}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise Refusal("--server over http shows the admin token to the network; use https, or a tunnel to the port")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
