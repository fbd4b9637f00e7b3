"""A request is written down with the session's own policy, and read back with it."""

from __future__ import annotations

import json
from functools import partial

import pytest
from msgspec.structs import replace

from policies.decision import Verdict
from policies.narrowing import parse_narrowing
from policies.nodes import nodes_of
from policies.reader import Reader
from policies.regions import Territories
from policies.written import read_request, render_request
from tests.policies.building import MIB, copy, document, errors_of, load, pair

NARROW = json.dumps(
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
read_narrowing = partial(parse_narrowing, territories=Territories())


def narrowed(length: int) -> object:
    request = copy(length=length)
    return render_request(replace(request, caller=replace(request.caller, narrowing=read_narrowing(NARROW))))


@pytest.mark.parametrize(("length", "verdict"), [(MIB, Verdict.ALLOW), (MIB + 1, Verdict.DENY)])
def test_a_request_read_back_is_narrowed_as_it_was(length: int, verdict: Verdict) -> None:
    reader = Reader("audit")
    request = read_request(reader, nodes_of(json.loads(json.dumps(narrowed(length)))), "", narrowing=read_narrowing)
    assert reader.errors == []
    assert request is not None
    assert request.caller.narrowing == read_narrowing(NARROW)
    assert render_request(request) == narrowed(length)
    decision = load(document(pair())).decide(request)
    assert decision.verdict is verdict
    if verdict is Verdict.DENY:
        assert decision.reason.startswith("session.range.max: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON text of a policy"),
        ("", "expected a text"),
        (NARROW + " " * 2048, "bytes, expected at most 2048"),
        (NARROW.replace("UploadPartCopy", "NoSuch"), "an action the gateway knows"),
    ],
    ids=["no JSON", "empty", "too long", "unsound"],
)
def test_a_session_policy_that_is_none_is_noted(text: str, words: str) -> None:
    reader = Reader("audit")
    read_request(reader, nodes_of({**render_request(copy()), "session_policy": text}), "", narrowing=read_narrowing)
    (error,) = reader.errors
    assert error.path == "session_policy"
    assert words in str(error)


def test_a_documents_tests_have_no_sessions() -> None:
    reader = Reader("a.yaml")
    read_request(reader, nodes_of(narrowed(1)), "request")
    assert [(error.path, error.found) for error in reader.errors] == [
        ("request.session_policy", "the unknown key 'session_policy'")
    ]
    tests = "tests:\n  - {name: x, request: {principal: a, action: cos:GetService, session_policy: x}, expect: deny}\n"
    assert "session_policy" in str(errors_of(document(pair()) + tests)[0])
