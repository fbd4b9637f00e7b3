"""A session's own policy: what its holder may do of what the key behind it may.

    {"statements": [{"id": "one-prefix", "effect": "allow", "actions": ["cos:GetObject"],
                     "resource": {"bucket": "media-1250000000", "key": "films/*"}}]}

The statements have the shape of a document's (`policies.document`), in JSON. Whoever they are about is the holder of
the session, so `principals` may be left out. Sets, territories and tests belong to documents. Judged by the same
engine, beside the documents and never instead of them: both must allow, and either may deny.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from msgspec.structs import replace

from policies import rules
from policies.decision import Decision, Verdict
from policies.document import FORMAT_VERSION, parse_document
from policies.engine import Engine
from policies.problems import DocumentError, PolicyErrors
from policies.regions import Territories
from policies.request import AccessRequest

MAX_BYTES = 2048
"""Of the text in UTF-8: it travels in the token, and that in a header of every request."""
MAX_STATEMENTS = 16
MAX_REMEMBERED = 8
"""Plain decisions kept for one session policy; a gateway keeps hundreds of those."""
NAME = "session policy"
"""What stands for the document's name in reasons, traces and errors."""

RULE_TOPICS = tuple(rules.__all__)
"""The modules whose kinds are registered; naming them here is what imports them."""

_KEYS = frozenset({"version", "statements"})


class Narrowing:
    """A compiled session policy. Immutable; equal to another of the same text."""

    __slots__ = ("_engine", "digest", "text")

    def __init__(self, engine: Engine, text: str, digest: str) -> None:
        self._engine = engine
        self.text = text
        self.digest = digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Narrowing) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def narrow(self, granted: Decision, request: AccessRequest) -> Decision:
        """What is left of a decision of the documents. A denial stays what it is."""
        if granted.verdict is Verdict.DENY:
            return granted
        own = self._engine.decide(request)
        if own.verdict is Verdict.DENY:
            violations = tuple(replace(violation, rule=f"session.{violation.rule}") for violation in own.violations)
            return replace(
                own,
                version=granted.version,
                violations=violations,
                trace=granted.trace + own.trace,
            )
        if own.verdict is Verdict.NEEDS_FACTS or granted.verdict is Verdict.NEEDS_FACTS:
            return Decision(
                Verdict.NEEDS_FACTS,
                granted.version,
                trace=granted.trace + own.trace,
                needs=granted.needs | own.needs,
            )
        amendments = tuple(dict.fromkeys(granted.amendments + own.amendments))
        return replace(granted, trace=granted.trace + own.trace, amendments=amendments)


def parse_narrowing(text: str, *, territories: Territories) -> Narrowing:
    """A session policy from its JSON text. Raises PolicyErrors with everything that is wrong with it."""
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError:
        raise _refused("half a character", "text") from None
    if len(raw) > MAX_BYTES:
        raise _refused(f"{len(raw)} bytes", f"at most {MAX_BYTES}")
    try:
        # RecursionError: nested beyond what any policy is.
        value = json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _refused(f"no JSON text of a policy ({str(error)[:80]})", "a JSON object") from None
    if not isinstance(value, dict) or not value.keys() <= _KEYS or "statements" not in value:
        raise _refused("something else", "a JSON object of statements, and a version if any")
    statements = value["statements"]
    if not isinstance(statements, list) or not 1 <= len(statements) <= MAX_STATEMENTS:
        raise _refused("something else", f"a list of 1 to {MAX_STATEMENTS} statements", path="statements")
    filled = [
        {"principals": ["*"], **statement} if isinstance(statement, dict) else statement for statement in statements
    ]
    # JSON is YAML: the text is read by the very code that reads documents. Escaped, it has no character that the
    # two read differently.
    rendered = json.dumps({"version": value.get("version", FORMAT_VERSION), "statements": filled})
    document, errors = parse_document(NAME, rendered, territories)
    if errors:
        raise PolicyErrors(errors)
    digest = hashlib.sha256(raw).hexdigest()[:12]
    return Narrowing(Engine(document.statements, digest, remembers=MAX_REMEMBERED), text, digest)


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name is repeated")
    return dict(pairs)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _refused(found: str, expected: str, *, path: str = "") -> PolicyErrors:
    return PolicyErrors([DocumentError(NAME, 1, 1, path, found, expected)])
