"""The tests that live in a document, beside the statements they are about.

```yaml
tests:
  - name: two GiB is too much
    request:
      principal: team:media
      action: cos:UploadPartCopy
      source: raw-1250000000/incoming/a@ap-guangzhou           # bucket[/key][@region], or a mapping
      destination: {bucket: media-1250000000, key: a, region: ap-guangzhou}
      range: {first: 0, length: 2GiB}                          # or bytes=0-2147483647
      part_number: 1
      size: 10GiB                                              # of the source, when a rule measures it
      conditions: {if-match: '"etag"'}                         # all keys of a request: see `policies.written`
    expect: deny                                               # or allow, or needs_facts
    rehearsed: allow                                           # optional: the verdict if shadow statements decided
    reason: range.max                                          # optional: a violation's rule, or what it starts with
    statement: copy-in-region                                  # optional: the statement that decides
```

A test is judged by the whole set of documents, exactly as a request is.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.decision import Decision, Verdict
from policies.nodes import Node
from policies.problems import DocumentError, did_you_mean
from policies.reader import Reader, join
from policies.request import AccessRequest
from policies.written import read_request

_KEYS = ("name", "request", "expect", "reason", "statement", "rehearsed")


@dataclass(frozen=True, slots=True)
class SelfTest:
    """One test: a request and what the set must answer to it."""

    name: str
    document: str
    line: int
    column: int
    path: str
    request: AccessRequest
    expect: Verdict
    reason: str | None
    statement: str | None
    rehearsed: Verdict | None = None


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """A test and the decision it met. `problem` says how they differ; None when they do not."""

    __test__ = False

    test: SelfTest
    decision: Decision
    problem: DocumentError | None

    @property
    def passed(self) -> bool:
        return self.problem is None


def judge_test(test: SelfTest, decision: Decision) -> TestOutcome:
    """Compare what was decided with what the test expects."""
    got, wanted = _difference(test, decision)
    problem = None
    if wanted:
        problem = DocumentError(test.document, test.line, test.column, test.path, got, wanted, f"test {test.name!r}")
    return TestOutcome(test, decision, problem)


def _difference(test: SelfTest, decision: Decision) -> tuple[str, str]:
    if decision.verdict is not test.expect:
        because = f" ({decision.reason})" if decision.verdict is Verdict.DENY else ""
        return f"{decision.verdict}{because}", str(test.expect)
    rules = [violation.rule for violation in decision.violations]
    if test.reason is not None and not any(_starts(rule, test.reason) for rule in rules):
        return f"the reasons {', '.join(rules) or 'none'}", f"the reason {test.reason}"
    if test.statement is not None and decision.statement_id != test.statement:
        return f"a decision by {decision.statement_id or 'no statement'}", f"one by {test.statement}"
    if test.rehearsed is not None and decision.rehearsed is not test.rehearsed:
        return f"{decision.rehearsed or 'nothing'} rehearsed", f"{test.rehearsed} rehearsed"
    return "", ""


def _starts(rule: str, reason: str) -> bool:
    return rule == reason or rule.startswith(f"{reason}.")


def read_test(reader: Reader, node: Node, path: str, statements: frozenset[str]) -> SelfTest | None:
    """One entry of `tests`; None after noting what is wrong with it."""
    noted = len(reader.errors)
    entries = reader.read_mapping(node, path, known=_KEYS, required=("name", "request", "expect"))
    name = reader.read_text(entries["name"][1], join(path, "name")) if "name" in entries else None
    expect = reader.read_choice(entries["expect"][1], join(path, "expect"), Verdict) if "expect" in entries else None
    request = read_request(reader, entries["request"][1], join(path, "request")) if "request" in entries else None
    reason = reader.read_text(entries["reason"][1], join(path, "reason")) if "reason" in entries else None
    rehearsed = None
    if "rehearsed" in entries:
        rehearsed = reader.read_choice(entries["rehearsed"][1], join(path, "rehearsed"), Verdict)
    statement = None
    if "statement" in entries:
        target = entries["statement"][1]
        statement = reader.read_text(target, join(path, "statement"))
        if statement is not None and statement not in statements:
            hint = did_you_mean(statement, statements)
            reader.note(target, join(path, "statement"), "a statement of this document", hint=hint)
    if name is None or expect is None or request is None or len(reader.errors) > noted:
        return None
    return SelfTest(
        name,
        reader.document,
        node.line,
        node.column,
        path,
        request,
        expect,
        reason=reason,
        statement=statement,
        rehearsed=rehearsed,
    )
