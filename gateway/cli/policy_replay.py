"""`cos-gateway policy diff` and `replay`: recorded decisions, made again by other documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import OK, REFUSED, ConfigOption, JsonOption, reported, say, say_json, say_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.cli.policy_history import Recorded
    from policies.decision import Decision

LogOption = Annotated[
    Path | None, typer.Option("--log", help="Audit log; else that of the configuration.", show_default=False)
]
MAX_SHOWN = 50


def diff(
    old: Annotated[Path, typer.Argument(help="Document, or folder of them.", show_default=False)],
    new: Annotated[Path, typer.Argument(help="What would take its place.", show_default=False)],
    hours: Annotated[float | None, typer.Option(help="Only the last hours; else all.", show_default=False)] = None,
    log: LogOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which recorded decisions would change from OLD to NEW. Exit code 1: some would."""
    from gateway.audit_files import audit_files
    from gateway.cli.policy_documents import parsed, session_policies
    from gateway.cli.policy_history import read_history
    from gateway.settings import load_settings

    changes: list[dict[str, Any]] = []
    judged = 0
    with reported():
        settings = load_settings(config)
        narrowing = session_policies(settings)
        before, after = parsed([old], settings), parsed([new], settings)
        files = audit_files(settings.audit.path) if log is None else [log]
        with _progress(files) as advanced:
            for entry in read_history(files, narrowing=narrowing, since=_since(hours), advanced=advanced):
                judged += 1
                was, would = before.decide(entry.asked), after.decide(entry.asked)
                if was.verdict is not would.verdict:
                    changes.append(_change(entry, _answer(was), _answer(would)))
    summary = {"decisions": judged, "changed": len(changes), "old": before.version, "new": after.version}
    if as_json:
        say_json({**summary, "changes": changes})
    else:
        _say_changes(changes)
        say(f"{len(changes)} of {judged} recorded decisions change from {before.version} to {after.version}.")
    raise typer.Exit(REFUSED if changes else OK)


def replay(
    candidate: Annotated[list[Path], typer.Argument(help="Documents, or folders of them.", show_default=False)],
    hours: Annotated[float, typer.Option(help="How far to go back in the audit log.")] = 24,
    log: LogOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge what was asked lately by a candidate: what it newly denies and allows. Exit code 1: some."""
    from gateway.audit_files import audit_files
    from gateway.cli.policy_documents import parsed, session_policies
    from gateway.cli.policy_history import read_history
    from gateway.settings import load_settings
    from policies.decision import Verdict

    denied: Counter[tuple[str, str, str]] = Counter()
    allowed: Counter[tuple[str, str, str]] = Counter()
    unclear: Counter[tuple[str, str, str]] = Counter()
    judged = 0
    with reported():
        settings = load_settings(config)
        narrowing = session_policies(settings)
        policy_set = parsed(candidate, settings)
        files = audit_files(settings.audit.path) if log is None else [log]
        with _progress(files) as advanced:
            for entry in read_history(files, narrowing=narrowing, since=_since(hours), advanced=advanced):
                judged += 1
                would = policy_set.decide(entry.asked)
                principal = entry.asked.caller.principal
                if would.verdict is Verdict.NEEDS_FACTS:
                    unclear[(principal, entry.statement or "-", f"needs {', '.join(sorted(would.needs))}")] += 1
                elif entry.allowed and not would.allowed:
                    by = f"denied by {would.statement_id}" if would.statement_id else would.violations[0].rule
                    denied[(principal, entry.statement or "-", by)] += 1
                elif not entry.allowed and would.allowed:
                    allowed[(principal, would.statement_id or "-", f"was {_rule(entry.reason)}")] += 1
    groups = (("newly denied", denied), ("newly allowed", allowed), ("not to be told without measuring", unclear))
    if as_json:
        shown = {name.replace(" ", "_"): _rows(counts) for name, counts in groups}
        say_json({"decisions": judged, "candidate": policy_set.version, **shown})
    else:
        for name, counts in groups:
            if counts:
                say(f"{name}: {counts.total()}")
                say_table(
                    ("REQUESTS", "PRINCIPAL", "STATEMENT", "WHY"),
                    ((count, *labels) for labels, count in counts.most_common()),
                )
                say()
        say(
            f"{judged} decisions of the last {hours:g} hours judged by {policy_set.version}: "
            f"{denied.total()} newly denied, {allowed.total()} newly allowed, {unclear.total()} unclear."
        )
    raise typer.Exit(REFUSED if denied or allowed or unclear else OK)


def _since(hours: float | None) -> datetime | None:
    return datetime.now(UTC) - timedelta(hours=hours) if hours is not None else None


def _rule(reason: str | None) -> str:
    return reason.partition(":")[0] if reason else "-"


def _rows(counts: Counter[tuple[str, str, str]]) -> list[dict[str, Any]]:
    return [
        {"principal": principal, "statement": statement, "why": why, "requests": count}
        for (principal, statement, why), count in counts.most_common()
    ]


def _answer(decision: Decision) -> dict[str, Any]:
    return {
        "verdict": str(decision.verdict),
        "statement": decision.statement_id,
        "reason": None if decision.allowed else decision.reason,
    }


def _change(entry: Recorded, was: dict[str, Any], would: dict[str, Any]) -> dict[str, Any]:
    return {
        "time": entry.time.isoformat(),
        "decision_id": entry.decision_id,
        "request_id": entry.request_id,
        "principal": entry.asked.caller.principal,
        "action": entry.asked.action,
        "old": was,
        "new": would,
    }


def _say_changes(changes: list[dict[str, Any]]) -> None:
    if not changes:
        return
    say_table(
        ("DECISION", "PRINCIPAL", "ACTION", "OLD", "NEW", "WHY"),
        (
            (
                change["decision_id"],
                change["principal"],
                change["action"],
                change["old"]["verdict"],
                change["new"]["verdict"],
                change["new"]["reason"] or f"allowed by {change['new']['statement']}",
            )
            for change in changes[:MAX_SHOWN]
        ),
    )
    if len(changes) > MAX_SHOWN:
        say(f"and {len(changes) - MAX_SHOWN} more; --json lists them all")
    say()


@contextmanager
def _progress(files: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, over the bytes of the log; nothing where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    total = sum(path.stat().st_size for path in files if path.exists())
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("judging the audit log", total=total)
        yield lambda count: progress.advance(task, count)
