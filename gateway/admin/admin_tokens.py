"""Operations on admin tokens, and who the caller is."""

from __future__ import annotations

from datetime import datetime
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
from gateway.admin.paging import PageQuery, page_of
from gateway.credentials.token_administration import NewAdminToken, TokenAdministration
from gateway.credentials.views import AdminTokenView, IssuedAdminTokenView, View
from gateway.stores.admin_tokens import Role


class NewToken(Input):
    """A token to be made."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$")
    """What the audit log calls its holder."""
    role: Role
    """Each role may do what the one before it may: viewer, operator, security."""
    expires_at: Moment | None = None
    """Null: never."""


class AdminTokenPage(View):
    """Tokens, the oldest first."""

    items: list[AdminTokenView]
    next_cursor: str | None
    """Null: this is the last page."""


class WhoAmI(View):
    """The token that was sent."""

    id: str
    name: str
    role: Role
    expires_at: datetime | None


class AdminTokenHandlers:
    """What the operations do, over the service layer."""

    def __init__(self, tokens: TokenAdministration) -> None:
        self._tokens = tokens

    async def who_am_i(self, call: Call[NoQuery, NoBody]) -> Reply:
        """The caller's own token."""
        actor = call.actor
        return Reply(200, WhoAmI(id=actor.id, name=actor.name, role=actor.role, expires_at=actor.expires_at))

    async def page(self, call: Call[PageQuery, NoBody]) -> Reply:
        """A page of tokens."""
        views = await self._tokens.list()
        items, cursor = page_of(views, call.query, lambda view: (int(view.created_at.timestamp()), view.id))
        return Reply(200, AdminTokenPage(items=items, next_cursor=cursor))

    async def show(self, call: Call[NoQuery, NoBody]) -> Reply:
        """One token."""
        view = await self._tokens.show(call.path["id"])
        return tagged(view, view.etag)

    async def create(self, call: Call[ChangeQuery, NewToken]) -> Reply:
        """Make a token."""
        body = call.body
        outcome = await self._tokens.create(NewAdminToken(body.name, body.role, body.expires_at), call.terms)
        if call.query.dry_run or outcome.after is None:
            return would_change(outcome)
        issued = IssuedAdminTokenView(**dict(outcome.after), token=outcome.secret)
        headers = {"Location": f"/api/v1/admin-tokens/{issued.id}", **replay_headers(outcome)}
        return tagged(issued, issued.etag, 200 if outcome.replayed else 201, **headers)

    async def delete(self, call: Call[ChangeQuery, NoBody]) -> Reply:
        """Withdraw a token."""
        outcome = await self._tokens.delete(call.path["id"], call.terms)
        return would_change(outcome) if call.query.dry_run else Reply(204, None)


def admin_token_operations(tokens: TokenAdministration) -> list[Operation[Any, Any]]:
    """The rows of the table."""
    handlers = AdminTokenHandlers(tokens)
    return [
        Operation(
            method="GET", path="/whoami", name="whoAmI", summary="The token that was sent.",
            role=Role.VIEWER, query=NoQuery, body=NoBody, status=200, answer=WhoAmI, handle=handlers.who_am_i,
        ),
        Operation(
            method="GET", path="/admin-tokens", name="listAdminTokens", summary="List the admin tokens.",
            role=Role.SECURITY, query=PageQuery, body=NoBody, status=200, answer=AdminTokenPage, handle=handlers.page,
        ),
        Operation(
            method="POST", path="/admin-tokens", name="createAdminToken",
            summary="Make an admin token. It is in the answer, once.",
            role=Role.SECURITY, query=ChangeQuery, body=NewToken, status=201, answer=IssuedAdminTokenView,
            handle=handlers.create, creates=True,
        ),
        Operation(
            method="GET", path="/admin-tokens/{id}", name="showAdminToken", summary="One admin token.",
            role=Role.SECURITY, query=NoQuery, body=NoBody, status=200, answer=AdminTokenView, handle=handlers.show,
        ),
        Operation(
            method="DELETE", path="/admin-tokens/{id}", name="deleteAdminToken",
            summary="Withdraw an admin token, at once.",
            role=Role.SECURITY, query=ChangeQuery, body=NoBody, status=204, answer=None,
            handle=handlers.delete, needs_if_match=True,
        ),
    ]  # fmt: skip
