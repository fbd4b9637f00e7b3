"""What is wrong with a document, said so that its author can mend it without reading our code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class DocumentError:
    """One thing wrong at one place. `line` and `column` count from 1; `path` names the key there.

    `document` is the name the text was given, usually its file. `hint` may be empty.
    """

    document: str
    line: int
    column: int
    path: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        """`media.yaml:12:9: statements[0].when.range.max: found '1GB', expected a size (write 1GiB)`."""
        hint = f" ({self.hint})" if self.hint else ""
        path = f"{self.path}: " if self.path else ""
        return f"{self.document}:{self.line}:{self.column}: {path}found {self.found}, expected {self.expected}{hint}"


class PolicyErrors(Exception):
    """A set of documents that cannot be activated, with everything that is wrong with it."""

    def __init__(self, errors: Iterable[DocumentError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'range'?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
