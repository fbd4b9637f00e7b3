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
      conditions: {if-match: '"etag"'}
    expect: deny                                               # or allow, or needs_facts
    reason: range.max                                          # optional: a violation's rule, or what it starts with
    statement: copy-in-region                                  # optional: the statement that decides
```

A test is judged by the whole set of documents, exactly as a request is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cos.byte_range import ByteRange, parse_byte_range
from cos.conditions import CONDITION_NAMES, CopyConditions, parse_conditions
from cos.errors import COSError
from cos.operations import ACTIONS
from cos.values import (
    PartNumber,
    parse_bucket,
    parse_object_key,
    parse_part_number,
    parse_region,
    parse_version_id,
)
from policies.decision import Decision, Verdict
from policies.nodes import Mapping, Node, Scalar
from policies.problems import DocumentError, did_you_mean
from policies.reader import Reader, join
from policies.request import AccessRequest, Caller, Facts, Resource
from policies.rules.period import Moment
from policies.sizes import parse_size

_KEYS = ("name", "request", "expect", "reason", "statement")
_REQUEST_KEYS = (
    "principal", "action", "resource", "source", "destination", "range", "part_number", "size", "conditions",
    "headers", "address", "time",
)  # fmt: skip


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
        name, reader.document, node.line, node.column, path, request, expect, reason=reason, statement=statement
    )


def read_request(reader: Reader, node: Node, path: str) -> AccessRequest | None:
    """A request as tests write it, also for tools that ask what would be decided.

    None, or less than was asked, after noting what is wrong with it.
    """
    entries = reader.read_mapping(node, path, known=_REQUEST_KEYS, required=("principal", "action"))

    def part(name: str) -> tuple[Node | None, str]:
        return (entries[name][1] if name in entries else None), join(path, name)

    principal = _read_optional_text(reader, *part("principal"))
    action = _read_action(reader, *part("action"))
    resource = _read_end(reader, *part("resource"))
    source = _read_end(reader, *part("source"))
    destination = _read_end(reader, *part("destination"))
    if "resource" in entries and ("source" in entries or "destination" in entries):
        reader.note(entries["resource"][0], join(path, "resource"), "a resource, or a source and a destination")
    size_node, size_path = part("size")
    size = reader.read_parsed(size_node, size_path, parse_size, expected="a size") if size_node is not None else None
    address = _read_optional_text(reader, *part("address"))
    headers_node, headers_path = part("headers")
    headers: list[str | None] = []
    if headers_node is not None:
        headers = [reader.read_text(item, where) for item, where in reader.read_items(headers_node, headers_path)]
    time_node, time_path = part("time")
    time = reader.read_parsed(time_node, time_path, _moment, expected="a moment") if time_node is not None else None
    byte_range = _read_range(reader, *part("range"))
    part_number = _read_part_number(reader, *part("part_number"))
    conditions = _read_conditions(reader, *part("conditions"))
    if principal is None or action is None:
        return None
    return AccessRequest(
        caller=Caller(principal=principal, access_key_id="test", address=address),
        action=action,
        resource=destination or resource or Resource(bucket=None),
        source=source,
        part_number=part_number,
        byte_range=byte_range,
        conditions=conditions,
        headers=frozenset(header for header in headers if header is not None),
        time=time,
        facts=Facts(measured=size is not None, source_size_bytes=size),
    )


def _moment(text: str) -> datetime:
    return Moment.parse(text).at


def _read_optional_text(reader: Reader, node: Node | None, path: str) -> str | None:
    return reader.read_text(node, path) if node is not None else None


def _read_action(reader: Reader, node: Node | None, path: str) -> str | None:
    text = _read_optional_text(reader, node, path)
    if node is None or text is None:
        return None
    action = text.removeprefix("name/")
    if action not in ACTIONS:
        reader.note(node, path, "an action the gateway knows", hint=did_you_mean(action, ACTIONS))
        return None
    return action


def _read_end(reader: Reader, node: Node | None, path: str) -> Resource | None:
    if node is None:
        return None
    if isinstance(node, Scalar):
        return reader.read_parsed(node, path, _resource, expected="bucket[/key][@region]")
    entries = reader.read_mapping(node, path, known=("bucket", "key", "region", "version"), required=("bucket",))
    texts = {name: reader.read_text(value, join(path, name)) for name, (_, value) in entries.items()}
    if texts.get("bucket") is None:
        return None
    try:
        return _resource_of(texts["bucket"] or "", texts.get("key"), texts.get("region"), texts.get("version"))
    except ValueError as exc:
        reader.note(node, path, str(exc).removeprefix("expected "))
        return None


def _resource(text: str) -> Resource:
    """`bucket[/key][@region]`; a key that holds `@` takes a mapping. Raises ValueError."""
    rest, at, region = text.rpartition("@")
    bucket, slash, key = (rest if at else text).partition("/")
    return _resource_of(bucket, key if slash else None, region if at else None, None)


def _resource_of(bucket: str, key: str | None, region: str | None, version: str | None) -> Resource:
    try:
        return Resource(
            bucket=parse_bucket(bucket),
            key=parse_object_key(key.encode()) if key is not None else None,
            region=parse_region(region) if region is not None else None,
            version_id=parse_version_id(version) if version is not None else None,
        )
    except COSError as exc:
        raise ValueError(exc.message[0].lower() + exc.message[1:].rstrip(".")) from None


def _read_range(reader: Reader, node: Node | None, path: str) -> ByteRange | None:
    if node is None:
        return None
    if isinstance(node, Mapping):
        entries = reader.read_mapping(node, path, known=("first", "length"), required=("first", "length"))
        sizes = {
            name: reader.read_parsed(value, join(path, name), parse_size, expected="a size")
            for name, (_, value) in entries.items()
        }
        first, length = sizes.get("first"), sizes.get("length")
        if first is None or length is None:
            return None
        if length < 1:
            reader.note(node, path, "a length of at least one byte")
            return None
        return ByteRange(first, first + length - 1)
    return reader.read_parsed(node, path, _byte_range, expected="bytes=first-last, or first and length")


def _byte_range(text: str) -> ByteRange:
    try:
        return parse_byte_range(text)
    except COSError:
        raise ValueError("expected bytes=first-last with first <= last") from None


def _read_part_number(reader: Reader, node: Node | None, path: str) -> PartNumber | None:
    return reader.read_parsed(node, path, _part_number, expected="a part number") if node is not None else None


def _part_number(text: str) -> PartNumber:
    try:
        return parse_part_number(text)
    except COSError:
        raise ValueError("expected a part number from 1 to 10000") from None


def _read_conditions(reader: Reader, node: Node | None, path: str) -> CopyConditions | None:
    if node is None:
        return None
    entries = reader.read_mapping(node, path, known=CONDITION_NAMES)
    values = {name: reader.read_text(value, join(path, name)) for name, (_, value) in entries.items()}
    try:
        return parse_conditions({name: text for name, text in values.items() if text is not None})
    except COSError as exc:
        reader.note(node, path, exc.message.removeprefix("Expected ").rstrip("."))
        return None
