"""Operations on the COS credentials. A secret goes in and never comes back."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gateway.admin.operations import (
    Call,
    ChangeQuery,
    Input,
    NoBody,
    NoQuery,
    Operation,
    Reply,
    replay_headers,
    tagged,
    would_change,
)
from gateway.admin.paging import PageQuery, page_of
from gateway.admin.problems import Kind, Refused
from gateway.configuration.types import Account, SecretText
from gateway.credentials.changes import Outcome
from gateway.credentials.credential_administration import CredentialAdministration, CredentialSecret
from gateway.credentials.rotation import DRAIN_SECONDS, Rotation
from gateway.credentials.upstream_credentials import MAX_SECRET_CHARACTERS
from gateway.credentials.views import CredentialView, View
from gateway.stores.admin_tokens import Role

HANDLE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$"
"""Names that can stand in a path; what the command line named otherwise is listed but has no path."""
MAX_VERSION = 2**31
MAX_DRAIN_SECONDS = 30 * 86_400


class CredentialPair(Input):
    """A pair as the cloud console gives it."""

    secret_id: str = Field(min_length=1, max_length=MAX_SECRET_CHARACTERS)
    """COS SecretId."""
    secret_key: SecretText
    """COS SecretKey; sealed, and never given back."""


class CredentialRotation(CredentialPair):
    """A pair that takes the place of the one in use."""

    drain_seconds: int | None = Field(int(DRAIN_SECONDS), ge=0, le=MAX_DRAIN_SECONDS)
    """How long the old version is kept before the gateway removes it; null: until somebody removes it."""


class NewCredential(CredentialPair):
    """A credential to be stored and used."""

    name: str = Field(pattern=HANDLE_PATTERN)
    """How buckets refer to it."""
    account: Account
    """The APPID it belongs to."""


class CredentialPage(View):
    """Credentials, by name."""

    items: list[CredentialView]
    next_cursor: str | None
    """Null: this is the last page."""


class CredentialHandlers:
    """What the operations do, over the service layer."""

    def __init__(self, credentials: CredentialAdministration, rotation: Rotation, *, production: bool) -> None:
        """In `production` no version is switched to that COS has not accepted."""
        self._credentials = credentials
        self._rotation = rotation
        self._production = production

    async def page(self, call: Call[PageQuery, NoBody]) -> Reply:
        """A page of credentials."""
        items, cursor = page_of(await self._credentials.list(), call.query, lambda view: (0, view.name))
        return Reply(200, CredentialPage(items=items, next_cursor=cursor))

    async def show(self, call: Call[NoQuery, NoBody]) -> Reply:
        """One credential."""
        view = await self._credentials.show(call.path["name"])
        return tagged(view, view.etag)

    async def add(self, call: Call[ChangeQuery, NewCredential]) -> Reply:
        """Store a credential under a new name."""
        body = call.body
        pair = CredentialSecret(body.secret_id, body.secret_key)
        outcome = await self._credentials.add(body.name, body.account, pair, call.terms)
        return _created(call.query, outcome, f"/api/v1/credentials/{body.name}")

    async def stage(self, call: Call[ChangeQuery, CredentialPair]) -> Reply:
        """Store the next version of a credential."""
        pair = CredentialSecret(call.body.secret_id, call.body.secret_key)
        outcome = await self._credentials.stage(call.path["name"], pair, call.terms)
        return _created(call.query, outcome, f"/api/v1/credentials/{call.path['name']}")

    async def activate(self, call: Call[ChangeQuery, NoBody]) -> Reply:
        """Switch to a version."""
        if self._production:
            await self._rotation.probe(call.path["name"], _version(call.path))
        outcome = await self._credentials.activate(call.path["name"], _version(call.path), call.terms)
        if call.query.dry_run or outcome.after is None:
            return would_change(outcome)
        return tagged(outcome.after, outcome.after.etag)

    async def rotate(self, call: Call[ChangeQuery, CredentialRotation]) -> Reply:
        """Stage a pair, try it on COS, and switch to it. The old version goes when it has drained."""
        pair = CredentialSecret(call.body.secret_id, call.body.secret_key)
        outcome = (
            await self._rotation.rotate(call.path["name"], pair, call.terms, drain_seconds=call.body.drain_seconds)
        ).outcome
        if call.query.dry_run or outcome.after is None:
            return would_change(outcome)
        return tagged(outcome.after, outcome.after.etag)

    async def remove(self, call: Call[ChangeQuery, NoBody]) -> Reply:
        """Remove a credential, or one version of it."""
        version = _version(call.path) if "version" in call.path else None
        outcome = await self._credentials.remove(call.path["name"], version, call.terms)
        return would_change(outcome) if call.query.dry_run else Reply(204, None)


def credential_operations(
    credentials: CredentialAdministration, rotation: Rotation, *, production: bool
) -> list[Operation[Any, Any]]:
    """The rows of the table."""
    handlers = CredentialHandlers(credentials, rotation, production=production)
    return [
        Operation(
            method="GET", path="/credentials", name="listCredentials", summary="List the COS credentials of the store.",
            role=Role.VIEWER, query=PageQuery, body=NoBody, status=200, answer=CredentialPage, handle=handlers.page,
        ),
        Operation(
            method="POST", path="/credentials", name="addCredential", summary="Store a credential and use it.",
            role=Role.SECURITY, query=ChangeQuery, body=NewCredential, status=201, answer=CredentialView,
            handle=handlers.add, creates=True,
        ),
        Operation(
            method="GET", path="/credentials/{name}", name="showCredential", summary="One credential.",
            role=Role.VIEWER, query=NoQuery, body=NoBody, status=200, answer=CredentialView, handle=handlers.show,
        ),
        Operation(
            method="DELETE", path="/credentials/{name}", name="removeCredential",
            summary="Remove a credential with all its versions.",
            role=Role.SECURITY, query=ChangeQuery, body=NoBody, status=204, answer=None,
            handle=handlers.remove, needs_if_match=True,
        ),
        Operation(
            method="POST", path="/credentials/{name}/versions", name="stageCredential",
            summary="Store the next version without using it.",
            role=Role.SECURITY, query=ChangeQuery, body=CredentialPair, status=201, answer=CredentialView,
            handle=handlers.stage, creates=True,
        ),
        Operation(
            method="POST", path="/credentials/{name}/rotate", name="rotateCredential",
            summary="Try a new pair on COS and switch to it; the old version is removed when it has drained.",
            role=Role.SECURITY, query=ChangeQuery, body=CredentialRotation, status=200, answer=CredentialView,
            handle=handlers.rotate,
        ),
        Operation(
            method="POST", path="/credentials/{name}/versions/{version}/activate", name="activateCredential",
            summary="Switch to a staged version, or back to a retired one.",
            role=Role.SECURITY, query=ChangeQuery, body=NoBody, status=200, answer=CredentialView,
            handle=handlers.activate,
        ),
        Operation(
            method="DELETE", path="/credentials/{name}/versions/{version}", name="removeCredentialVersion",
            summary="Remove one version.",
            role=Role.SECURITY, query=ChangeQuery, body=NoBody, status=204, answer=None,
            handle=handlers.remove, needs_if_match=True,
        ),
    ]  # fmt: skip


def _created(query: ChangeQuery, outcome: Outcome[CredentialView], location: str) -> Reply:
    if query.dry_run or outcome.after is None:
        return would_change(outcome)
    headers = {"Location": location, **replay_headers(outcome)}
    return tagged(outcome.after, outcome.after.etag, 200 if outcome.replayed else 201, **headers)


def _version(path: Any) -> int:
    text = path["version"]
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or int(text) >= MAX_VERSION:
        raise Refused(Kind.NOT_FOUND, "A version is a number.")
    return int(text)
