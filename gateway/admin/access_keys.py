"""Operations on access keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import Field

from gateway.admin.operations import (
    Call,
    ChangeQuery,
    Input,
    Moment,
    NoBody,
    NoQuery,
    Operation,
    Reply,
    replay_headers,
    tagged,
    would_change,
)
from gateway.admin.paging import PageQuery, Place, next_cursor, place_of
from gateway.credentials.access_keys import MAX_OVERLAP, UNCHANGED, KeyEdit
from gateway.credentials.changes import Outcome
from gateway.credentials.fields import MAX_LABELS, MAX_NAME_CHARACTERS, MAX_NETWORKS
from gateway.credentials.key_administration import KeyAdministration, NewKey, Rotation
from gateway.credentials.views import AccessKeyView, IssuedAccessKeyView, View
from gateway.ports import KeyState
from gateway.stores.admin_tokens import Role

_DAY_SECONDS = 86_400


class KeyPageQuery(PageQuery):
    """Which keys to list."""

    principal: str | None = Field(None, min_length=1, max_length=MAX_NAME_CHARACTERS)
    """Only keys of this principal."""


class NewAccessKey(Input):
    """A key to be issued."""

    principal: str = Field(min_length=1, max_length=MAX_NAME_CHARACTERS)
    """Who the key proves, as policies name it: `team:media`."""
    label: str = Field("", max_length=MAX_NAME_CHARACTERS)
    """A note for people."""
    labels: dict[str, str] = Field(default_factory=dict, max_length=MAX_LABELS)
    """Labels for policies and the audit log."""
    networks: tuple[str, ...] = Field((), max_length=MAX_NETWORKS)
    """Networks it may be used from, in CIDR form; empty: any."""
    expires_at: Moment | None = None
    """Null: never."""


class AccessKeyEdit(Input):
    """What to change; what is left out stays."""

    state: KeyState = KeyState.ACTIVE
    label: str = Field("", max_length=MAX_NAME_CHARACTERS)
    """A note for people."""
    labels: dict[str, str] = Field(default_factory=dict, max_length=MAX_LABELS)
    """Replaces all labels."""
    networks: tuple[str, ...] = Field((), max_length=MAX_NETWORKS)
    """Replaces all networks; empty: any."""
    expires_at: Moment | None = None
    """Null: never."""


class AccessKeyRotation(Input):
    """How to rotate a key."""

    overlap_seconds: int = Field(_DAY_SECONDS, ge=0, le=int(MAX_OVERLAP.total_seconds()))
    """How long the old key stays valid beside the new one."""
    expires_at: Moment | None = None
    """When the new key expires; null: never."""


class AccessKeyPage(View):
    """Keys, the oldest first."""

    items: list[AccessKeyView]
    next_cursor: str | None
    """Null: this is the last page."""


class RotatedAccessKey(View):
    """A new key and the one it replaces."""

    key: IssuedAccessKeyView
    previous: AccessKeyView


class AccessKeyHandlers:
    """What the operations do, over the service layer."""

    def __init__(self, keys: KeyAdministration) -> None:
        self._keys = keys

    async def page(self, call: Call[KeyPageQuery, NoBody]) -> Reply:
        """A page of keys."""
        query = call.query
        found = await self._keys.page(limit=query.limit + 1, after=place_of(query.cursor), principal=query.principal)
        return Reply(
            200, AccessKeyPage(items=found[: query.limit], next_cursor=next_cursor(found, query.limit, _place))
        )

    async def show(self, call: Call[NoQuery, NoBody]) -> Reply:
        """One key."""
        view = await self._keys.show(call.path["id"])
        return tagged(view, view.etag)

    async def create(self, call: Call[ChangeQuery, NewAccessKey]) -> Reply:
        """Issue a key."""
        body = call.body
        new = NewKey(body.principal, body.label, body.labels, body.networks, body.expires_at)
        outcome = await self._keys.create(new, call.terms)
        if call.query.dry_run:
            return would_change(outcome)
        issued = _issued(outcome)
        headers = {"Location": f"/api/v1/access-keys/{issued.id}", **replay_headers(outcome)}
        return tagged(issued, issued.etag, 200 if outcome.replayed else 201, **headers)

    async def edit(self, call: Call[ChangeQuery, AccessKeyEdit]) -> Reply:
        """Change a key."""
        body = call.body

        def given(name: str) -> bool:
            return name in body.model_fields_set

        edit = KeyEdit(
            state=body.state if given("state") else None,
            label=body.label if given("label") else None,
            labels=body.labels if given("labels") else None,
            networks=body.networks if given("networks") else None,
            expires_at=body.expires_at if given("expires_at") else UNCHANGED,
        )
        outcome = await self._keys.edit(call.path["id"], edit, call.terms)
        if call.query.dry_run or outcome.after is None:
            return would_change(outcome)
        return tagged(outcome.after, outcome.after.etag)

    async def rotate(self, call: Call[ChangeQuery, AccessKeyRotation]) -> Reply:
        """Issue a successor of a key."""
        rotation = Rotation(timedelta(seconds=call.body.overlap_seconds), call.body.expires_at)
        new, old = await self._keys.rotate(call.path["id"], rotation, call.terms)
        if call.query.dry_run or old.after is None:
            return would_change(old)
        issued = _issued(new)
        headers = {"Location": f"/api/v1/access-keys/{issued.id}", **replay_headers(new)}
        return Reply(200 if new.replayed else 201, RotatedAccessKey(key=issued, previous=old.after), headers)

    async def delete(self, call: Call[ChangeQuery, NoBody]) -> Reply:
        """Remove a key."""
        outcome = await self._keys.delete(call.path["id"], call.terms)
        return would_change(outcome) if call.query.dry_run else Reply(204, None)


def access_key_operations(keys: KeyAdministration) -> list[Operation[Any, Any]]:
    """The rows of the table."""
    handlers = AccessKeyHandlers(keys)
    return [
        Operation(
            method="GET", path="/access-keys", name="listAccessKeys", summary="List the keys of the store.",
            role=Role.VIEWER, query=KeyPageQuery, body=NoBody, status=200, answer=AccessKeyPage, handle=handlers.page,
        ),
        Operation(
            method="POST", path="/access-keys", name="createAccessKey",
            summary="Issue a key. Its secret is in the answer, once.",
            role=Role.OPERATOR, query=ChangeQuery, body=NewAccessKey, status=201, answer=IssuedAccessKeyView,
            handle=handlers.create, creates=True,
        ),
        Operation(
            method="GET", path="/access-keys/{id}", name="showAccessKey", summary="One key.",
            role=Role.VIEWER, query=NoQuery, body=NoBody, status=200, answer=AccessKeyView, handle=handlers.show,
        ),
        Operation(
            method="PATCH", path="/access-keys/{id}", name="editAccessKey",
            summary="Change a key's state, label, labels, networks or expiry.",
            role=Role.OPERATOR, query=ChangeQuery, body=AccessKeyEdit, status=200, answer=AccessKeyView,
            handle=handlers.edit, needs_if_match=True,
        ),
        Operation(
            method="DELETE", path="/access-keys/{id}", name="deleteAccessKey", summary="Remove a key for good.",
            role=Role.OPERATOR, query=ChangeQuery, body=NoBody, status=204, answer=None,
            handle=handlers.delete, needs_if_match=True,
        ),
        Operation(
            method="POST", path="/access-keys/{id}/rotate", name="rotateAccessKey",
            summary="Issue a second key like the first, which then expires after the overlap.",
            role=Role.OPERATOR, query=ChangeQuery, body=AccessKeyRotation, status=201, answer=RotatedAccessKey,
            handle=handlers.rotate, creates=True,
        ),
    ]  # fmt: skip


def _place(view: AccessKeyView) -> Place:
    return int(view.created_at.timestamp()), view.id


def _issued(outcome: Outcome[AccessKeyView]) -> IssuedAccessKeyView:
    if outcome.after is None:
        raise ValueError("a creation gives what it created")
    return IssuedAccessKeyView(**dict(outcome.after), secret=outcome.secret)
