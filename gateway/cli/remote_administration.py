"""The methods of `gateway.credentials.administration`, asked of a running gateway's admin API.

An edit or a removal first reads the record and sends its tag back, so that it never overwrites what somebody else
changed meanwhile.
"""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import quote

from gateway.admin.access_keys import AccessKeyPage, RotatedAccessKey
from gateway.admin.admin_tokens import AdminTokenPage
from gateway.admin.credentials import CredentialPage
from gateway.admin.paging import MAX_LIMIT, cursor_of
from gateway.cli.remote import Asking
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


class Keys(Protocol):
    """Access keys, here or there."""

    async def page(
        self, *, limit: int, after: tuple[int, str] | None = None, principal: str | None = None
    ) -> list[AccessKeyView]: ...
    async def show(self, key_id: str) -> AccessKeyView: ...
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


class RemoteAdministration:
    """Implements Administers by the admin API."""

    def __init__(self, asking: Asking) -> None:
        self.keys = RemoteKeys(asking)
        self.credentials = RemoteCredentials(asking)
        self.tokens = RemoteTokens(asking)
        self.sessions = RemoteSessions(asking)


class RemoteKeys:
    """Access keys of a running gateway."""

    def __init__(self, asking: Asking) -> None:
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
        before = await self.show(key_id)
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
        before = await self.show(key_id)
        path = f"/access-keys/{_quoted(key_id)}/rotate"
        rotated = await self._asking.read(RotatedAccessKey, "POST", path, body=body, etag=before.etag)
        return Outcome(None, rotated.key, rotated.key.secret), Outcome(before, rotated.previous)

    async def delete(self, key_id: str, _: Terms) -> Outcome[AccessKeyView]:
        """As `KeyAdministration.delete`."""
        before = await self.show(key_id)
        await self._asking.ask("DELETE", f"/access-keys/{_quoted(key_id)}", etag=before.etag)
        return Outcome(before, None)

    async def show(self, key_id: str) -> AccessKeyView:
        """As `KeyAdministration.show`."""
        return await self._asking.read(AccessKeyView, "GET", f"/access-keys/{_quoted(key_id)}")


class RemoteCredentials:
    """COS credentials of a running gateway."""

    def __init__(self, asking: Asking) -> None:
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

    def __init__(self, asking: Asking) -> None:
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

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def end(self, session_id: str, _: Terms) -> Outcome[SessionView]:
        """As `SessionAdministration.end`."""
        await self._asking.ask("DELETE", f"/sessions/{_quoted(session_id)}")
        return Outcome(SessionView(id=session_id, ended=False), SessionView(id=session_id, ended=True))


def _revealed(pair: CredentialSecret) -> dict[str, str]:
    return {"secret_id": pair.secret_id, "secret_key": pair.secret_key.reveal()}


def _quoted(name: str) -> str:
    return quote(name, safe="")
