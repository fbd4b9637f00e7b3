"""Decisions of the audit log, to be made again: what was asked, what was decided, and by which statement."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gateway.cli.output import Refusal

if TYPE_CHECKING:
    from policies.request import AccessRequest, Narrows

_NEEDLE = b'"asked"'
SESSION = "session."
"""How the reasons of a session's own policy begin."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One decision as it was made. `allowed` is the verdict that was enforced."""

    time: datetime
    decision_id: str
    request_id: str
    asked: AccessRequest
    allowed: bool
    statement: str | None
    reason: str | None


def read_history(
    files: Sequence[Path],
    *,
    narrowing: Callable[[str], Narrows],
    since: datetime | None = None,
    advanced: Callable[[int], None] = lambda _: None,
) -> Iterator[Recorded]:
    """Every recorded decision of the log since a moment, file by file in the order written.

    Dry runs are left out, and so is what a session's own policy refused when it was not recorded with it.
    `narrowing` reads such policies, `advanced` is told how many bytes were read. Raises Refusal when there is no log.
    """
    for path in files:
        try:
            with path.open("rb") as log:
                for line in log:
                    advanced(len(line))
                    if _NEEDLE in line:
                        yield from _decisions(line, since, narrowing)
        except OSError as error:
            raise Refusal(f"cannot read the audit log {path}: {error.strerror}") from None


def _decisions(line: bytes, since: datetime | None, narrowing: Callable[[str], Narrows]) -> Iterator[Recorded]:
    try:
        event = json.loads(line)
    except ValueError:
        # A line torn by a power cut: the gateway flags it when it starts again.
        return
    if not isinstance(event, dict) or event.get("type") != "outcome" or event.get("dry_run"):
        return
    policy, time = event.get("policy"), _moment(event.get("time"))
    if not isinstance(policy, dict) or time is None or (since is not None and time < since):
        return
    reason = event.get("reason")
    written = list(written_requests(event))
    if (
        isinstance(reason, str)
        and reason.startswith(SESSION)
        and not all("session_policy" in asked for asked in written)
    ):
        # Of a gateway that did not record it yet: no document could have decided otherwise.
        return
    for number, asked in enumerate(written, 1):
        # A batch is judged key by key and ends with the first that is refused.
        allowed = policy.get("verdict") == "allow" or number < len(written)
        request = _read(asked, narrowing)
        if request is not None:
            yield Recorded(
                time=time,
                decision_id=str(event.get("decision_id")),
                request_id=str(event.get("request_id")),
                asked=request,
                allowed=allowed,
                statement=policy.get("statement"),
                reason=reason if isinstance(reason, str) and not allowed else None,
            )


def written_requests(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The requests an event holds, as they are written: one, or one for each key of a batch."""
    asked = event.get("asked")
    if not isinstance(asked, dict):
        return
    keys = event.get("asked_keys")
    if not isinstance(keys, list):
        yield asked
        return
    resource = asked.get("resource")
    for key, version in keys:
        member = {**(resource if isinstance(resource, dict) else {}), "key": key}
        yield {**asked, "resource": member | ({"version": version} if version is not None else {})}


def _read(written: object, narrowing: Callable[[str], Narrows]) -> AccessRequest | None:
    from gateway.cli.policy_documents import read_asked

    try:
        return read_asked(written, {}, place="audit log", narrowing=narrowing)
    except typer.BadParameter:
        # Written by a later version of the gateway, or not by one at all.
        return None


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
