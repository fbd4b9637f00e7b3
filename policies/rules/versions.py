"""Whether a request names a version of an object, or takes whatever is current.

For a copy source the version is the `?versionId=` of the copy source; a required one pins what is copied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from policies.decision import Outcome, Violation
from policies.request import AccessRequest, Resource
from policies.rule import rule


class Presence(StrEnum):
    """Whether something must, or must not, be given."""

    REQUIRE = "require"
    FORBID = "forbid"


_DOC = {"doc": "require: a version must be named; forbid: none may be."}


@rule("source_version", copies=True, shorthand="expected")
@dataclass(frozen=True, slots=True)
class SourceVersionRule:
    """The copy source names a version, or does not."""

    of_ends: ClassVar[bool] = True
    expected: Presence = field(metadata=_DOC)

    def check(self, request: AccessRequest) -> Outcome:
        return _check("source_version", self.expected, request.source)


@rule("version", shorthand="expected")
@dataclass(frozen=True, slots=True)
class VersionRule:
    """The object read, written or deleted is named with a version, or is not."""

    of_ends: ClassVar[bool] = True
    expected: Presence = field(metadata=_DOC)

    def check(self, request: AccessRequest) -> Outcome:
        return _check("version", self.expected, request.resource)


def _check(name: str, expected: Presence, resource: Resource | None) -> Outcome:
    given = resource is not None and resource.version_id is not None
    if given is (expected is Presence.REQUIRE):
        return None
    if given:
        return Violation(name, "a version is named, none is allowed")
    return Violation(name, "no version is named, one is required")
