"""Operations on sessions: ending one. None is listed, because none is stored."""

from __future__ import annotations

from typing import Any

from gateway.admin.operations import Call, ChangeQuery, NoBody, Operation, Reply, would_change
from gateway.credentials.session_administration import SessionAdministration
from gateway.stores.admin_tokens import Role


class SessionHandlers:
    """What the operations do, over the service layer."""

    def __init__(self, sessions: SessionAdministration) -> None:
        self._sessions = sessions

    async def end(self, call: Call[ChangeQuery, NoBody]) -> Reply:
        """End a session."""
        outcome = await self._sessions.end(call.path["id"], call.terms)
        return would_change(outcome) if call.query.dry_run else Reply(204, None)


def session_operations(sessions: SessionAdministration) -> list[Operation[Any, Any]]:
    """The rows of the table."""
    handlers = SessionHandlers(sessions)
    return [
        Operation(
            method="DELETE", path="/sessions/{id}", name="endSession",
            summary="End a session before its time. Ending it again changes nothing.",
            role=Role.OPERATOR, query=ChangeQuery, body=NoBody, status=204, answer=None, handle=handlers.end,
        ),
    ]  # fmt: skip
