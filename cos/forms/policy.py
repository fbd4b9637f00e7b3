"""The policy of a form: what its signer lets the sender fill in, and until when.

    {"expiration": "2019-08-30T09:38:12.414Z",
     "conditions": [{"bucket": "b-1250000000"}, ["starts-with", "$key", "a/"], ["content-length-range", 0, 1048576]]}

Every field must meet a condition that names it, or the form is refused: what nobody signed is not acted upon.
Exempt are the policy, the signature and the credential themselves, and `x-ignore-…`.

Source: COS API, "POST Object" (436/14690); AWS, S3 API, "POST Policy"; threat model C3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from cos.errors import COSError

MAX_CONDITIONS = 200

_EXEMPT = frozenset(
    {
        "policy", "q-signature", "x-cos-security-token", "x-amz-signature", "x-amz-security-token", "awsaccesskeyid",
        "signature", "file", "submit",
    }
)  # fmt: skip
_EXPIRATION = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?Z", re.ASCII)


class Match(StrEnum):
    """How a condition compares."""

    EQ = "eq"
    STARTS_WITH = "starts-with"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field must be. `field` is lower-case."""

    field: str
    match: Match
    value: str

    def holds(self, text: str) -> bool:
        if self.match is Match.EQ:
            return text == self.value
        if self.field == "content-type":
            # A browser may send several types; each must begin so (AWS, "POST Policy").
            return all(part.strip().startswith(self.value) for part in text.split(","))
        return text.startswith(self.value)


@dataclass(frozen=True, slots=True)
class FormPolicy:
    """A policy document. `expiration` is Unix seconds; sizes in bytes, inclusive, None without a range."""

    expiration: int
    conditions: tuple[Condition, ...]
    min_bytes: int | None = None
    max_bytes: int | None = None


def parse_form_policy(document: bytes) -> FormPolicy:
    """A policy from its JSON text. Raises COSError(InvalidPolicyDocument)."""
    try:
        policy = json.loads(document.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _invalid("a JSON object without repeated names") from None
    if not isinstance(policy, dict) or policy.keys() != {"expiration", "conditions"}:
        raise _invalid("expiration and conditions, and nothing besides")
    listed = policy["conditions"]
    if not isinstance(listed, list) or len(listed) > MAX_CONDITIONS:
        raise _invalid(f"a list of at most {MAX_CONDITIONS} conditions")
    conditions: list[Condition] = []
    sizes: list[tuple[int, int]] = []
    for item in listed:
        match item:
            case dict():
                conditions += [Condition(name.lower(), Match.EQ, _text(value)) for name, value in item.items()]
            case [str(kind), str(name), str(value)] if kind.lower() in (Match.EQ, Match.STARTS_WITH):
                if not name.startswith("$"):
                    raise _invalid(f"a field like $key, got {name[:60]!r}")
                conditions.append(Condition(name[1:].lower(), Match(kind.lower()), value))
            case [str(kind), low, high] if kind.lower() == "content-length-range":
                sizes.append((_size(low), _size(high)))
            case _:
                raise _invalid(f"a condition, got {str(item)[:60]!r}")
    if len(sizes) > 1:
        raise _invalid("one content-length-range")
    return FormPolicy(
        expiration=_read_expiration(policy["expiration"]),
        conditions=tuple(conditions),
        min_bytes=sizes[0][0] if sizes else None,
        max_bytes=sizes[0][1] if sizes else None,
    )


def check_form_policy(policy: FormPolicy, fields: Mapping[str, str], *, now: float) -> None:
    """Refuse a form that is late, breaks a condition, or has a field no condition names.

    `fields` by lower-case name, the bucket among them; `now` in Unix seconds. Raises COSError(AccessDenied).
    """
    if now > policy.expiration:
        raise COSError("AccessDenied", "Invalid according to Policy: Policy expired.")
    for condition in policy.conditions:
        if not condition.holds(fields.get(condition.field, "")):
            shown = f'["{condition.match}", "${condition.field}", "{condition.value}"]'
            raise COSError("AccessDenied", f"Invalid according to Policy: Policy Condition failed: {shown}")
    named = {condition.field for condition in policy.conditions} | {"bucket"}
    extra = [name for name in fields if name not in named and name not in _EXEMPT and not name.startswith("x-ignore-")]
    if extra:
        raise COSError("AccessDenied", f"Invalid according to Policy: Extra input fields: {', '.join(extra)[:200]}")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    held = dict(pairs)
    if len(held) != len(pairs):
        raise ValueError("a name is repeated")
    return held


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _invalid("a text as the value of a condition")
    return value


def _size(value: object) -> int:
    # S3 clients write sizes as numbers or as digits.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _invalid("content-length-range with two numbers of bytes")
    return value


def _read_expiration(value: object) -> int:
    match = _EXPIRATION.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        try:
            return int(datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp())
        except ValueError:
            pass
    raise _invalid("an expiration like 2019-08-30T09:38:12.414Z")


def _invalid(expected: str) -> COSError:
    return COSError("InvalidPolicyDocument", f"Invalid Policy: expected {expected}.")
