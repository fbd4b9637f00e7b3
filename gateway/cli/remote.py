"""The admin API from the other side: the methods of `gateway.credentials.administration`, asked of a running gateway.

An edit or a removal first reads the record and sends its tag back, so that it never overwrites what somebody else
changed meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from gateway.admin.access_keys import AccessKeyPage, RotatedAccessKey
from gateway.admin.admin_tokens import AdminTokenPage
from gateway.admin.credentials import CredentialPage
from gateway.admin.paging import MAX_LIMIT, cursor_of
from gateway.admin.problems import Problem
from gateway.cli.output import Refusal
from gateway.configuration.secret_files import read_secret_file
from gateway.credentials.access_keys import KeyEdit, Unchanged
from gateway.credentials.changes import Outcome, Terms
from gateway.credentials.credential_administration import CredentialSecret
from gateway.credentials.key_administration import NewKey, Rotation
from gateway.credentials.token_administration import NewAdminToken
from gateway.credentials.views import (
    AccessKeyView,
    AdminTokenView,
    CredentialView,
    IssuedAccessKeyView,
    IssuedAdminTokenView,
    SessionView,
)
from gateway.secret import Secret
from gateway.stores.errors import InvalidRecord, RecordNotFound

TOKEN_VARIABLE = "COSGW_ADMIN_TOKEN"  # noqa: S105  # the name of a variable
TIMEOUT_SECONDS = 30.0

M = TypeVar("M", bound=BaseModel)


class Keys(Protocol):
    """Access keys, here or there."""

    async def page(
        self, *, limit: int, after: tuple[int, str] | None = None, principal: str | None = None
    ) -> list[AccessKeyView]: ...
    async def create(self, new: NewKey, terms: Terms) -> Outcome[AccessKeyView]: ...
    async def edit(self, key_id: str, edit: KeyEdit, terms: Terms) -> Outcome[AccessKeyView]: ...
    async def rotate(
        self, key_id: str, rotation: Rotation, terms: Terms
    ) -> tuple[Outcome[AccessKeyView], Outcome[AccessKeyView]]: ...
    async def delete(self, key_id: str, terms: Terms) -> Outcome[AccessKeyView]: ...


class Credentials(Protocol):
    """COS credentials, here or there."""

    async def add(self, name: str, account: str, pair: CredentialSecret, terms: Terms) -> Outcome[CredentialView]: ...
    async def stage(self, name: str, pair: CredentialSecret, terms: Terms) -> Outcome[CredentialView]: ...
    async def activate(self, name: str, version: int, terms: Terms) -> Outcome[CredentialView]: ...
    async def remove(self, name: str, version: int | None, terms: Terms) -> Outcome[CredentialView]: ...
    async def list(self) -> list[CredentialView]: ...


class Tokens(Protocol):
    """Admin tokens, here or there."""

    async def create(self, new: NewAdminToken, terms: Terms) -> Outcome[AdminTokenView]: ...
    async def delete(self, token_id: str, terms: Terms) -> Outcome[AdminTokenView]: ...
    async def list(self) -> list[AdminTokenView]: ...


class Sessions(Protocol):
    """Temporary keys, here or there."""

    async def end(self, session_id: str, terms: Terms) -> Outcome[SessionView]: ...


class Administers(Protocol):
    """What commands work with. Of the terms a running gateway takes nothing: its author is the token's holder."""

    @property
    def keys(self) -> Keys: ...
    @property
    def credentials(self) -> Credentials: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def sessions(self) -> Sessions: ...


def read_token(file: Path | None) -> Secret:
    """The admin token, from the environment or a file. Raises Refusal, SecretFileError."""
    if text := os.environ.get(TOKEN_VARIABLE):
        return Secret(text.strip())
    if file is not None:
        return read_secret_file(file)
    raise Refusal(f"--server needs an admin token: in {TOKEN_VARIABLE}, or in a file named by --token-file")


class RemoteAdministration:
    """Implements Administers by the admin API. Use as an async context manager."""

    def __init__(self, server: str, token: Secret) -> None:
        """Raises Refusal for a URL that would show the token on its way."""
        _check_server(server)
        if not token.reveal().isascii() or not token.reveal().isprintable():
            raise Refusal("the admin token is not one: it holds letters and digits only")
        self._http = httpx.AsyncClient(
            base_url=server.rstrip("/") + "/api/v1",
            headers={"Authorization": f"Bearer {token.reveal()}"},
            timeout=TIMEOUT_SECONDS,
            # A proxy of the environment would see the token.
            trust_env=False,
        )
        asking = _Asking(self._http, server)
        self.keys = RemoteKeys(asking)
        self.credentials = RemoteCredentials(asking)
        self.tokens = RemoteTokens(asking)
        self.sessions = RemoteSessions(asking)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()


class _Asking:
    """One request, its refusals turned into the errors that the local service layer raises."""

    def __init__(self, http: httpx.AsyncClient, server: str) -> None:
        self._http = http
        self._server = server

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        etag: str | None = None,
    ) -> bytes:
        """The body of a successful answer. Raises Refusal, InvalidRecord, RecordNotFound."""
        headers = {} if etag is None else {"If-Match": f'"{etag}"'}
        try:
            answer = await self._http.request(method, path, json=body, params=query, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Refusal(f"{self._server} did not answer: {type(error).__name__}: {error}") from None
        if answer.is_success:
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
        content = await self.ask(method, path, **request)
        try:
            return model.model_validate_json(content)
        except ValidationError:
            raise Refusal(
                f"{self._server} answered what is no {model.__name__}; is it a gateway's admin port?"
            ) from None

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


class RemoteKeys:
    """Access keys of a running gateway."""

    def __init__(self, asking: _Asking) -> None:
        self._asking = asking

    async def page(
        self, *, limit: int, after: tuple[int, str] | None = None, principal: str | None = None
    ) -> list[AccessKeyView]:
        """As `KeyAdministration.page`."""
        query = {"limit": str(min(limit, MAX_LIMIT))}
        if after is not None:
            query["cursor"] = cursor_of(after)
        if principal is not None:
            query["principal"] = principal
        return (await self._asking.read(AccessKeyPage, "GET", "/access-keys", query=query)).items

    async def create(self, new: NewKey, _: Terms) -> Outcome[AccessKeyView]:
        """As `KeyAdministration.create`."""
        body = {
            "principal": new.principal,
            "label": new.label,
            "labels": dict(new.labels),
            "networks": list(new.networks),
            "expires_at": new.expires_at.isoformat() if new.expires_at is not None else None,
        }
        issued = await self._asking.read(IssuedAccessKeyView, "POST", "/access-keys", body=body)
        return Outcome(None, issued, issued.secret)

    async def edit(self, key_id: str, edit: KeyEdit, _: Terms) -> Outcome[AccessKeyView]:
        """As `KeyAdministration.edit`."""
        body: dict[str, Any] = {
            name: value
            for name, value in (("state", edit.state), ("label", edit.label), ("networks", edit.networks))
            if value is not None
        }
        if edit.labels is not None:
            body["labels"] = dict(edit.labels)
        if not isinstance(edit.expires_at, Unchanged):
            body["expires_at"] = edit.expires_at.isoformat() if edit.expires_at is not None else None
        before = await self._show(key_id)
        path = f"/access-keys/{_quoted(key_id)}"
        return Outcome(before, await self._asking.read(AccessKeyView, "PATCH", path, body=body, etag=before.etag))

    async def rotate(
        self, key_id: str, rotation: Rotation, _: Terms
    ) -> tuple[Outcome[AccessKeyView], Outcome[AccessKeyView]]:
        """As `KeyAdministration.rotate`."""
        body = {
            "overlap_seconds": int(rotation.overlap.total_seconds()),
            "expires_at": rotation.expires_at.isoformat() if rotation.expires_at is not None else None,
        }
        before = await self._show(key_id)
        path = f"/access-keys/{_quoted(key_id)}/rotate"
        rotated = await self._asking.read(RotatedAccessKey, "POST", path, body=body, etag=before.etag)
        return Outcome(None, rotated.key, rotated.key.secret), Outcome(before, rotated.previous)

    async def delete(self, key_id: str, _: Terms) -> Outcome[AccessKeyView]:
        """As `KeyAdministration.delete`."""
        before = await self._show(key_id)
        await self._asking.ask("DELETE", f"/access-keys/{_quoted(key_id)}", etag=before.etag)
        return Outcome(before, None)

    async def _show(self, key_id: str) -> AccessKeyView:
        return await self._asking.read(AccessKeyView, "GET", f"/access-keys/{_quoted(key_id)}")


class RemoteCredentials:
    """COS credentials of a running gateway."""

    def __init__(self, asking: _Asking) -> None:
        self._asking = asking

    async def add(self, name: str, account: str, pair: CredentialSecret, _: Terms) -> Outcome[CredentialView]:
        """As `CredentialAdministration.add`."""
        body = {"name": name, "account": account, **_revealed(pair)}
        return Outcome(None, await self._asking.read(CredentialView, "POST", "/credentials", body=body))

    async def stage(self, name: str, pair: CredentialSecret, _: Terms) -> Outcome[CredentialView]:
        """As `CredentialAdministration.stage`."""
        before, path = await self.show(name), f"/credentials/{_quoted(name)}/versions"
        after = await self._asking.read(CredentialView, "POST", path, body=_revealed(pair), etag=before.etag)
        return Outcome(before, after)

    async def activate(self, name: str, version: int, _: Terms) -> Outcome[CredentialView]:
        """As `CredentialAdministration.activate`."""
        before, path = await self.show(name), f"/credentials/{_quoted(name)}/versions/{version}/activate"
        return Outcome(before, await self._asking.read(CredentialView, "POST", path, etag=before.etag))

    async def rotate(self, name: str, pair: CredentialSecret, drain_seconds: int | None) -> Outcome[CredentialView]:
        """Have the gateway try a pair on COS, switch to it and drain the old version; None: keep it."""
        before, path = await self.show(name), f"/credentials/{_quoted(name)}/rotate"
        body = {**_revealed(pair), "drain_seconds": drain_seconds}
        after = await self._asking.read(CredentialView, "POST", path, body=body, etag=before.etag)
        return Outcome(before, after)

    async def remove(self, name: str, version: int | None, _: Terms) -> Outcome[CredentialView]:
        """As `CredentialAdministration.remove`; what is left of the credential is not read again."""
        before, path = await self.show(name), f"/credentials/{_quoted(name)}"
        await self._asking.ask("DELETE", path if version is None else f"{path}/versions/{version}", etag=before.etag)
        return Outcome(before, None)

    async def list(self) -> list[CredentialView]:
        """As `CredentialAdministration.list`."""
        return [view for page in await self._asking.pages(CredentialPage, "/credentials") for view in page.items]

    async def show(self, name: str) -> CredentialView:
        """As `CredentialAdministration.show`."""
        return await self._asking.read(CredentialView, "GET", f"/credentials/{_quoted(name)}")


class RemoteTokens:
    """Admin tokens of a running gateway."""

    def __init__(self, asking: _Asking) -> None:
        self._asking = asking

    async def create(self, new: NewAdminToken, _: Terms) -> Outcome[AdminTokenView]:
        """As `TokenAdministration.create`."""
        expires_at = new.expires_at.isoformat() if new.expires_at is not None else None
        body = {"name": new.name, "role": new.role, "expires_at": expires_at}
        issued = await self._asking.read(IssuedAdminTokenView, "POST", "/admin-tokens", body=body)
        return Outcome(None, issued, issued.token)

    async def delete(self, token_id: str, _: Terms) -> Outcome[AdminTokenView]:
        """As `TokenAdministration.delete`."""
        path = f"/admin-tokens/{_quoted(token_id)}"
        before = await self._asking.read(AdminTokenView, "GET", path)
        await self._asking.ask("DELETE", path, etag=before.etag)
        return Outcome(before, None)

    async def list(self) -> list[AdminTokenView]:
        """As `TokenAdministration.list`."""
        return [view for page in await self._asking.pages(AdminTokenPage, "/admin-tokens") for view in page.items]


class RemoteSessions:
    """Temporary keys of a running gateway."""

    def __init__(self, asking: _Asking) -> None:
        self._asking = asking

    async def end(self, session_id: str, _: Terms) -> Outcome[SessionView]:
        """As `SessionAdministration.end`."""
        await self._asking.ask("DELETE", f"/sessions/{_quoted(session_id)}")
        return Outcome(SessionView(id=session_id, ended=False), SessionView(id=session_id, ended=True))


def _revealed(pair: CredentialSecret) -> dict[str, str]:
    return {"secret_id": pair.secret_id, "secret_key": pair.secret_key.reveal()}


def _quoted(name: str) -> str:
    return quote(name, safe="")


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
