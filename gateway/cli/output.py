"""What commands print, and the exit codes they end with: 0 fine, 1 finding or refusal, 2 usage.

Results go to standard output, errors to standard error, one line each. Errors an operator can mend never
show a traceback.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

OK = 0
REFUSED = 1
USAGE = 2

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="COSGW_CONFIG", help="Configuration file (YAML).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


class Refusal(Exception):
    """A command cannot do what was asked; its text is the error shown. Ends with exit code 1."""


def say(text: str = "") -> None:
    """One line of a result."""
    typer.echo(text)


def complain(text: str) -> None:
    """One line about something wrong, on standard error."""
    typer.secho(text, err=True, fg=typer.colors.RED)


def say_json(value: Any) -> None:
    """A result for programs. Dates, paths and networks become text."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def say_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their longest value; never cut, so that ids can be copied."""
    texts = [tuple(columns), *(tuple("-" if cell in (None, "") else str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[index]) for row in texts) for index in range(len(columns))]
    for number, row in enumerate(texts):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        typer.secho(line, bold=number == 0)


def parse_pairs(option: str, texts: Iterable[str]) -> Mapping[str, str]:
    """`name=value` options as a mapping. Raises typer.BadParameter."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not (separator and name) or name in pairs:
            raise typer.BadParameter(f"expected name=value with each name once, got {text!r}", param_hint=option)
        pairs[name] = value
    return pairs


@contextmanager
def reported() -> Iterator[None]:
    """Turn the errors that operators can mend into lines and exit codes."""
    # Imported here: `--help` must not wait for them.
    from gateway.configuration.errors import SettingsErrors
    from gateway.configuration.secret_files import SecretFileError
    from gateway.credentials.master_key import MasterKeyError
    from gateway.ports import PortError, Sealed
    from gateway.server.listeners import PortTaken
    from gateway.stores.errors import InvalidRecord, RecordError
    from gateway.tls.files import TlsFileError
    from policies.problems import PolicyErrors

    try:
        yield
    except (SettingsErrors, PolicyErrors) as wrong:
        for error in wrong.errors:
            complain(str(error))
        raise typer.Exit(USAGE) from None
    except (MasterKeyError, SecretFileError, TlsFileError, InvalidRecord) as wrong:
        complain(f"error: {wrong}")
        raise typer.Exit(USAGE) from None
    except Sealed as sealed:
        complain(f"error: {sealed}")
        complain("Make a master key with `cos-gateway master-key create FILE` and name it in master_key.file.")
        raise typer.Exit(REFUSED) from None
    except (Refusal, RecordError, PortError, PortTaken) as refusal:
        complain(f"error: {refusal}")
        raise typer.Exit(REFUSED) from None
    except OSError as error:
        complain(f"error: {error.filename or 'the system'}: {error.strerror or error}")
        raise typer.Exit(REFUSED) from None
