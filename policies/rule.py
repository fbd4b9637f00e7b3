"""What a rule is, and the register of rule kinds.

A kind is one frozen dataclass under `@rule("kind")`. Its fields are its parameters: their names are the keys of
the document, their types say how they are read (see `policies.parameters`), their metadata document them. Its
one method judges; it never raises, and it never looks anything up.

A rule means the same in an allow and in a deny statement: the statement applies when every rule of its `when`
holds. `check` answers a Violation when it does not hold, Unknown when it cannot tell, None when it holds.

A kind that looks at the resource and the source of a request, and at nothing else of it, says so with
`of_ends: ClassVar[bool] = True`: of requests with the same ends it is then asked once (see `policies.plain`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints, runtime_checkable

from policies.decision import Amendment, Outcome
from policies.request import AccessRequest


class Rule(Protocol):
    """One condition of one statement, with its parameters."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __hash__(self) -> int:
        """Of its parameters: equal rules are kept once."""
        ...

    def check(self, request: AccessRequest) -> Outcome:
        """Whether the condition holds. Pure; never raises."""
        ...


@runtime_checkable
class AmendingRule(Protocol):
    """A rule that may add what it demands to the requests its statement allows."""

    @property
    def amends(self) -> bool:
        """Whether its parameters ask for that."""
        ...

    def amend(self, request: AccessRequest) -> Amendment | None:
        """What to add to a request that passed `check`; None when nothing is missing. Pure; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a kind: its name, the type it is read as, whether it must be given, its documentation."""

    name: str
    annotation: object
    required: bool
    doc: str


@dataclass(frozen=True, slots=True)
class RuleKind:
    """A registered kind. `copies` marks kinds that only make sense for operations with a source.

    `shorthand` names the parameter a bare value stands for: `same_region: true`.
    """

    name: str
    build: Callable[..., Rule]
    parameters: Mapping[str, Parameter]
    copies: bool
    shorthand: str | None
    summary: str


RuleT = TypeVar("RuleT", bound=Rule)

_KINDS: dict[str, RuleKind] = {}

KINDS: Mapping[str, RuleKind] = MappingProxyType(_KINDS)
"""Every kind a document may name. Complete once `policies.rules` is imported."""


def rule(name: str, *, copies: bool = False, shorthand: str | None = None) -> Callable[[type[RuleT]], type[RuleT]]:
    """Register a frozen dataclass as a kind. Raises ValueError when the name is taken."""

    def register(cls: type[RuleT]) -> type[RuleT]:
        if name in _KINDS:
            raise ValueError(f"expected one rule of kind {name!r}, got a second: {cls.__qualname__}")
        parameters = _parameters_of(cls)
        if shorthand is not None and shorthand not in parameters:
            raise ValueError(f"expected the shorthand of {name!r} to be a parameter, got {shorthand!r}")
        _KINDS[name] = RuleKind(
            name=name,
            build=cls,
            parameters=parameters,
            copies=copies,
            shorthand=shorthand,
            summary=(cls.__doc__ or "").partition("\n")[0],
        )
        return cls

    return register


def _parameters_of(cls: type[RuleT]) -> dict[str, Parameter]:
    hints = get_type_hints(cls)
    return {
        item.name: Parameter(
            name=item.name,
            annotation=hints[item.name],
            required=item.default is MISSING and item.default_factory is MISSING,
            doc=str(item.metadata.get("doc", "")),
        )
        for item in fields(cls)
    }
