"""Documents in, a set that decides out: all of them or none, and only when their own tests pass."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from policies import rules
from policies.decision import Decision
from policies.document import Document, parse_document
from policies.engine import Engine
from policies.problems import DocumentError, PolicyErrors
from policies.regions import Territories
from policies.request import AccessRequest
from policies.self_tests import TestOutcome, judge_test
from policies.statement import Statement

RULE_TOPICS = tuple(rules.__all__)
"""The modules whose kinds are registered; naming them here is what imports them."""


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """A document's text and the name it is known by, usually its file."""

    name: str
    text: str


class PolicySet:
    """The documents that are active together. Immutable; a change is a new set."""

    __slots__ = ("_engine", "documents")

    def __init__(self, documents: Sequence[Document], version: str) -> None:
        self.documents = tuple(documents)
        self._engine = Engine([statement for document in documents for statement in document.statements], version)

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that name the content of all documents."""
        return self._engine.version

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Every statement, in document order."""
        return self._engine.statements

    def decide(self, request: AccessRequest) -> Decision:
        """The verdict and its explanation. Pure: equal requests get equal decisions.

        What the caller's session leaves out is taken away here, so that nobody who asks can forget it.
        """
        decision = self._engine.decide(request)
        narrowing = request.caller.narrowing
        return decision if narrowing is None else narrowing.narrow(decision, request)

    def run_tests(self) -> list[TestOutcome]:
        """Every document's tests, judged by the whole set."""
        return [
            judge_test(test, self._engine.decide(test.request))
            for document in self.documents
            for test in document.tests
        ]


def load_policies(sources: Sequence[DocumentSource], *, territories: Territories | None = None) -> PolicySet:
    """Parse, compile and test documents. No document at all is a set that denies everything.

    `territories` replaces the built-in tables of regions. Raises PolicyErrors with everything that is wrong in
    every document, or, when all of them are sound, with every test that fails.
    """
    policy_set, errors = parse_policies(sources, territories=territories)
    if policy_set is None:
        raise PolicyErrors(errors)
    failed = [outcome.problem for outcome in policy_set.run_tests() if outcome.problem is not None]
    if failed:
        raise PolicyErrors(failed)
    return policy_set


def parse_policies(
    sources: Sequence[DocumentSource], *, territories: Territories | None = None
) -> tuple[PolicySet | None, tuple[DocumentError, ...]]:
    """A set whose tests have not been run, or None and what is wrong. For tools that show every test's outcome."""
    tables = territories if territories is not None else Territories()
    errors: list[DocumentError] = []
    documents: list[Document] = []
    names: set[str] = set()
    for source in sources:
        if source.name in names:
            errors.append(DocumentError(source.name, 1, 1, "", "a second document of this name", "each name once"))
        names.add(source.name)
        try:
            document, found = parse_document(source.name, source.text, tables)
        except PolicyErrors as exc:
            errors += exc.errors
            continue
        errors += found
        documents.append(document)
    if errors:
        return None, tuple(sorted(errors))
    return PolicySet(documents, _version(sources, tables)), ()


def _version(sources: Sequence[DocumentSource], territories: Territories) -> str:
    """Of the content only: the same documents under other file names are the same version."""
    tables = (",".join(sorted(territories.mainland)), ",".join(sorted(territories.overseas)))
    digest = hashlib.sha256()
    for part in (*(source.text for source in sources), *tables):
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:12]
