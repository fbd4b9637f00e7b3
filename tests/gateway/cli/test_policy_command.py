"""`cos-gateway policy`: doubts, trees of checks, and what a change of documents would have changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

REGION = "ap-guangzhou"
SOUND = """\
version: 1
statements:
  - id: copy
    effect: allow
    principals: ["team:media"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: raw-1250000000}
    destination: {bucket: media-1250000000}
    when:
      same_region: true
      range: {max: 1GiB}
tests:
  - name: any
    request:
      principal: team:media
      action: cos:UploadPartCopy
      source: raw-1250000000/a@ap-guangzhou
      destination: media-1250000000/b@ap-guangzhou
      range: bytes=0-9
    expect: allow
"""
STRICT = SOUND.replace("1GiB", "1MiB")
WIDE = SOUND.replace('["team:media"]', '["team:media", "team:other"]')


def asked(**changes: Any) -> dict[str, Any]:
    return {
        "principal": "team:media",
        "action": "cos:UploadPartCopy",
        "source": {"bucket": "raw-1250000000", "key": "a", "region": REGION},
        "destination": {"bucket": "media-1250000000", "key": "b", "region": REGION},
        "range": "bytes=0-10485759",
        "part_number": 1,
        "time": "2026-01-01T00:00:00+00:00",
        **changes,
    }


def outcome(number: int, request: dict[str, Any], *, verdict: str = "allow", **changes: Any) -> dict[str, Any]:
    denied = {"reason": "principal: no statement names 'team:other'"} if verdict == "deny" else {}
    return {
        "time": datetime.now(UTC).isoformat(),
        "type": "outcome",
        "request_id": f"request-{number}",
        "decision_id": f"d-{number}",
        "policy": {"verdict": verdict, "version": "0" * 12, "document": "policies.yaml", "statement": "copy"},
        "asked": request,
        **denied,
        **changes,
    }


@pytest.fixture
def sound(folder: Path) -> Path:
    (folder / "policies.yaml").write_text(SOUND)
    for name, text in (("old.yaml", SOUND), ("strict.yaml", STRICT), ("wide.yaml", WIDE)):
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def history(sound: Path) -> Path:
    """A log of allowed and refused copies, one long ago, and lines that are no decisions."""
    (sound / "var").mkdir()
    path = sound / "var" / "audit.jsonl"
    long_ago = (datetime.now(UTC) - timedelta(hours=30)).isoformat()
    events = [
        {"type": "intent", "time": long_ago, "decision_id": "d-1", "asked": asked(), "policy": {"verdict": "allow"}},
        outcome(1, asked(range="bytes=0-1048575")),
        outcome(2, asked()),
        outcome(3, asked(), time=long_ago),
        outcome(4, asked(principal="team:other", range="bytes=0-9"), verdict="deny"),
        outcome(5, asked(), dry_run=True),
        outcome(6, asked(), verdict="deny", reason="session.source.key: 'a' asked"),
        {"type": "outcome", "time": "never", "asked": 1},
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + '{"torn": "asked')
    return path


# --- lint --------------------------------------------------------------------------------------------------


def test_sound_documents_raise_no_doubt(run: Any, sound: Path) -> None:
    done = run("policy", "lint")
    assert (done.returncode, done.stdout) == (0, "1 documents with 1 statements are sound; 0 doubts.\n")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (("raw-1250000000}", "nobody-1250000000}"), "never"),
        (("raw-1250000000}", '"*"}'), "wide"),
        (("principals: [", 'principals: ["*", '), "everybody"),
        (
            ("destination: {bucket: media-1250000000}", "destination: {bucket: media-1250000000, region: ap-x}"),
            "region",
        ),
    ],
    ids=["bucket nobody registered", "every object", "everybody", "unknown region"],
)
def test_a_doubt_is_a_finding(run: Any, sound: Path, change: tuple[str, str], check: str) -> None:
    (sound / "policies.yaml").write_text(SOUND.replace(*change, 1))
    done = run("policy", "lint")
    assert done.returncode == 1
    assert f"[{check}]" in done.stdout
    found = json.loads(run("policy", "lint", "--json").stdout)
    assert check in [finding["check"] for finding in found]
    assert all(finding["line"] >= 3 for finding in found)


def test_a_statement_on_trial_is_a_note_and_no_finding(run: Any, sound: Path) -> None:
    text = SOUND[: SOUND.index("tests:")].replace("effect: allow", "effect: allow\n    mode: shadow")
    (sound / "policies.yaml").write_text(text + SOUND[SOUND.index("tests:") :].replace("allow", "deny"))
    done = run("policy", "lint")
    assert done.returncode == 0
    assert done.stdout.startswith("note: policies.yaml:3: copy: ")


# --- explain -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_saved_request_is_explained(run: Any, sound: Path, suffix: str) -> None:
    (sound / f"request.{suffix}").write_text(json.dumps(asked()))
    done = run("policy", "explain", "--request", f"request.{suffix}")
    assert done.returncode == 0
    assert "  + same_region\n" in done.stdout


def test_a_tree_names_every_check_in_order(run: Any, sound: Path) -> None:
    request = asked(range="bytes=0-2147483647", source={"bucket": "raw-1250000000", "key": "a", "region": "ap-beijing"})
    (sound / "request.yaml").write_text(json.dumps(request))
    done = run("policy", "explain", "--request", "request.yaml")
    assert done.returncode == 1
    tree = done.stdout.split("\n\n")[1].splitlines()
    assert tree == [
        "copy (allow) does not match  policies.yaml:3",
        "  + source",
        "  + destination",
        "  x same_region - same_region: copy from ap-beijing to ap-guangzhou asked, only within one region allowed",
        "  x range - range.max: 2 GiB asked, at most 1 GiB allowed",
    ]


def test_an_end_that_does_not_select_ends_the_tree(run: Any, sound: Path) -> None:
    (sound / "request.yaml").write_text(json.dumps(asked(source="media-1250000000/a")))
    done = run("policy", "explain", "--request", "request.yaml", "--json")
    checks = json.loads(done.stdout)["trace"][0]["checks"]
    assert [(check["name"], check["result"]) for check in checks] == [
        ("source", "failed"),
        ("destination", "unreached"),
        ("same_region", "unreached"),
        ("range", "unreached"),
    ]


def test_a_recorded_decision_is_explained_beside_what_was_decided(run: Any, history: Path) -> None:
    done = run("policy", "explain", "--decision", "d-4")
    assert done.returncode == 1
    assert done.stdout.startswith("recorded: deny by copy, policy version 000000000000\ndeny, policy version ")
    answer = json.loads(run("policy", "explain", "--decision", "d-2", "--json").stdout)
    assert (answer["verdict"], answer["recorded"]["verdict"]) == ("allow", "allow")


def test_a_recorded_decision_is_explained_by_other_documents(run: Any, history: Path) -> None:
    done = run("policy", "explain", "--decision", "d-2", "--policy", "strict.yaml")
    assert done.returncode == 1
    assert "range.max: 10 MiB asked, at most 1 MiB allowed" in done.stdout


def test_the_last_key_of_a_batch_is_explained(run: Any, history: Path) -> None:
    batch = {"principal": "team:media", "action": "cos:DeleteMultipleObjects", "resource": {"bucket": "raw-1250000000"}}
    with history.open("w") as log:
        log.write(json.dumps(outcome(9, batch, verdict="deny", asked_keys=[["a", None], ["b", "v"]])) + "\n")
    (history.parent.parent / "policies.yaml").write_text(
        'version: 1\nstatements:\n  - {id: d, effect: allow, principals: ["team:media"], '
        'actions: ["cos:DeleteMultipleObjects"], resource: {bucket: raw-1250000000, key: a}}\n'
    )
    done = run("policy", "explain", "--decision", "d-9")
    assert "resource.key: 'b' asked" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("--principal", "a", "--decision", "d-1"), 2),
        (("--request", "nowhere.yaml"), 1),
        (("--request", "broken.yaml"), 2),
        (("--request", "empty.yaml"), 2),
        (("--decision", "d-unknown"), 1),
    ],
    ids=["nothing", "two ways", "no file", "no YAML", "no request", "no decision"],
)
def test_a_request_that_cannot_be_read_is_said(run: Any, history: Path, arguments: tuple[str, ...], code: int) -> None:
    folder = history.parent.parent
    (folder / "broken.yaml").write_text("{")
    (folder / "empty.yaml").write_text("action: cos:GetObject\n")
    done = run("policy", "explain", *arguments)
    assert done.returncode == code
    assert done.stderr


def test_flags_are_judged_as_of_now(run: Any, sound: Path) -> None:
    (sound / "policies.yaml").write_text(
        'version: 1\nstatements:\n  - {id: d, effect: allow, principals: [a], actions: ["cos:GetObject"], '
        'resource: {bucket: raw-1250000000}, when: {period: {not_after: "2020-01-01T00:00:00Z"}}}\n'
    )
    flags = ("--principal", "a", "--action", "cos:GetObject", "--resource", "raw-1250000000/x")
    assert "period.not_after" in run("policy", "explain", *flags).stdout
    assert run("policy", "explain", *flags, "--time", "2019-01-01T00:00:00Z").returncode == 0


SMALL = json.dumps(
    {
        "statements": [
            {
                "id": "small",
                "effect": "allow",
                "actions": ["cos:UploadPartCopy"],
                "source": {"bucket": "*"},
                "destination": {"bucket": "*"},
                "when": {"range": {"max": "1MiB"}},
            }
        ]
    }
)


@pytest.fixture
def narrowed(history: Path) -> Path:
    """A log of what a session with a policy of its own asked: one copy it allows, and one it refused."""
    events = [
        outcome(1, asked(range="bytes=0-1048575", session_policy=SMALL)),
        outcome(2, asked(session_policy=SMALL), verdict="deny", reason="session.range.max: 10 MiB asked"),
    ]
    history.write_text("".join(json.dumps(event) + "\n" for event in events))
    return history


def test_a_sessions_own_policy_is_part_of_the_explanation(run: Any, narrowed: Path) -> None:
    done = run("policy", "explain", "--decision", "d-2")
    assert done.returncode == 1
    assert "session.range.max: 10 MiB asked, at most 1 MiB allowed" in done.stdout
    assert "small (allow) does not match  session policy" in done.stdout
    assert run("policy", "explain", "--decision", "d-1").returncode == 0


def test_a_sessions_own_policy_can_be_given(run: Any, sound: Path) -> None:
    flags = ("--principal", "team:media", "--action", "cos:UploadPartCopy", "--source", f"raw-1250000000/a@{REGION}",
             "--destination", f"media-1250000000/b@{REGION}", "--range", "bytes=0-10485759")  # fmt: skip
    assert run("policy", "explain", *flags).returncode == 0
    assert "session.range.max" in run("policy", "explain", *flags, "--session-policy", SMALL).stdout
    wrong = run("policy", "explain", *flags, "--session-policy", "{}")
    assert (wrong.returncode, "--session-policy" in wrong.stderr) == (2, True)


def test_replay_and_diff_judge_what_a_session_refused(run: Any, narrowed: Path) -> None:
    done = run("policy", "replay", "old.yaml", "--json")
    assert (done.returncode, json.loads(done.stdout)["decisions"]) == (0, 2)
    assert json.loads(run("policy", "replay", "wide.yaml", "--json").stdout)["newly_allowed"] == []
    assert "0 of 2 recorded decisions change" in run("policy", "diff", "old.yaml", "strict.yaml").stdout


# --- diff and replay ---------------------------------------------------------------------------------------


def test_diff_names_the_decisions_that_change(run: Any, history: Path) -> None:
    done = run("policy", "diff", "old.yaml", "strict.yaml", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["decisions"], found["changed"]) == (4, 2)
    assert [change["decision_id"] for change in found["changes"]] == ["d-2", "d-3"]
    assert found["changes"][0]["new"]["reason"].startswith("range.max: ")
    shown = run("policy", "diff", "old.yaml", "strict.yaml", "--hours", "1")
    assert "d-2" in shown.stdout
    assert "d-3" not in shown.stdout
    assert "1 of 3 recorded decisions change" in shown.stdout


def test_diff_of_equal_documents_is_no_finding(run: Any, history: Path) -> None:
    done = run("policy", "diff", "old.yaml", "policies.yaml")
    assert done.returncode == 0
    assert done.stdout.startswith("0 of 4 recorded decisions change")


def test_replay_counts_what_is_newly_denied_by_principal_and_statement(run: Any, history: Path) -> None:
    done = run("policy", "replay", "strict.yaml", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["decisions"] == 3
    assert found["newly_denied"] == [
        {"principal": "team:media", "statement": "copy", "why": "range.max", "requests": 1}
    ]
    assert found["newly_allowed"] == []


def test_replay_counts_what_is_newly_allowed(run: Any, history: Path) -> None:
    done = run("policy", "replay", "wide.yaml")
    assert done.returncode == 1
    assert "newly allowed: 1" in done.stdout
    assert "team:other" in done.stdout
    assert "was principal" in done.stdout


@pytest.mark.parametrize(("hours", "decisions"), [("24", 3), ("31", 4), ("0", 0)])
def test_replay_goes_back_as_far_as_it_is_told(run: Any, history: Path, hours: str, decisions: int) -> None:
    done = run("policy", "replay", "old.yaml", "--hours", hours, "--json")
    assert (done.returncode, json.loads(done.stdout)["decisions"]) == (0, decisions)


def test_what_cannot_be_told_without_a_measurement_is_counted_apart(run: Any, history: Path) -> None:
    sized = SOUND.replace("range: {max: 1GiB}", "source_size: {max: 1GiB}").replace("range: bytes=0-9", "size: 9")
    (history.parent.parent / "sized.yaml").write_text(sized)
    found = json.loads(run("policy", "replay", "sized.yaml", "--json").stdout)
    assert found["not_to_be_told_without_measuring"][0]["why"] == "needs source_size"


@pytest.mark.parametrize(
    "command", [("diff", "old.yaml", "strict.yaml"), ("replay", "old.yaml")], ids=["diff", "replay"]
)
def test_without_a_log_there_is_nothing_to_judge(run: Any, sound: Path, command: tuple[str, ...]) -> None:
    done = run("policy", *command)
    assert done.returncode == 1
    assert "cannot read the audit log" in done.stderr


@pytest.mark.parametrize("command", [("diff", "old.yaml"), ("replay",)], ids=["diff", "replay"])
def test_a_broken_candidate_is_described(run: Any, history: Path, command: tuple[str, ...]) -> None:
    (history.parent.parent / "broken.yaml").write_text(SOUND.replace("effect", "efect", 1))
    done = run("policy", *command, "broken.yaml")
    assert done.returncode == 2
    assert "broken.yaml:4:" in done.stderr
