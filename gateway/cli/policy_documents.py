"""What the `policy` commands read: documents, and requests that are written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import Refusal

if TYPE_CHECKING:
    from cos.values import Bucket, Region
    from gateway.settings import Settings
    from policies.loading import PolicySet
    from policies.problems import DocumentError
    from policies.request import AccessRequest, Narrows

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Documents, or folders of them; else those of the configuration.", show_default=False),
]


def parsed(paths: list[Path] | None, settings: Settings) -> PolicySet:
    """The documents, not tested. Raises PolicyErrors."""
    from gateway.policy_files import read_documents
    from gateway.services import territories
    from policies.loading import parse_policies
    from policies.problems import PolicyErrors

    sources = read_documents(paths or settings.policies.paths)
    policy_set, errors = parse_policies(sources, territories=territories(settings))
    if policy_set is None:
        raise PolicyErrors(errors)
    return policy_set


def registered(settings: Settings) -> dict[Bucket, Region]:
    """Where the registered buckets are."""
    from cos.values import Bucket, Region

    return {Bucket(bucket.name): Region(bucket.region) for bucket in settings.buckets}


def session_policies(settings: Settings | None) -> Callable[[str], Narrows]:
    """Reads sessions' own policies as the gateway of these settings does; None: as one with no territories of its own.

    What was read is remembered: an audit log has one policy many times.
    """
    from functools import lru_cache, partial

    from gateway.services import territories
    from policies.narrowing import parse_narrowing
    from policies.regions import Territories

    tables = territories(settings) if settings is not None else Territories()
    return lru_cache(maxsize=256)(partial(parse_narrowing, territories=tables))


def read_asked(
    written: object,
    regions: Mapping[Bucket, Region],
    *,
    place: str,
    narrowing: Callable[[str], Narrows],
    flags: bool = False,
) -> AccessRequest:
    """The request that a value describes in the words of a document's tests.

    `narrowing` reads the policy of a session: see `session_policies`. Raises typer.BadParameter; with `flags` it names
    the options of the command line, else `place`.
    """
    from msgspec.structs import replace

    from policies.nodes import nodes_of
    from policies.reader import Reader
    from policies.request import Resource
    from policies.written import read_request

    reader = Reader(place)
    request = read_request(reader, nodes_of(written), "", narrowing=narrowing)
    if request is None or reader.errors:
        render = _as_flag_error if flags else str
        raise typer.BadParameter("\n".join(map(render, reader.errors)))

    def placed(resource: Resource) -> Resource:
        if resource.region is not None or resource.bucket is None or resource.bucket not in regions:
            return resource
        return replace(resource, region=regions[resource.bucket])

    source = placed(request.source) if request.source is not None else None
    return replace(request, resource=placed(request.resource), source=source)


def read_request_file(path: Path) -> Any:
    """The request in a YAML or JSON file, or in an event of the audit log. Raises Refusal, typer.BadParameter."""
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path}: {error}") from None
    if isinstance(value, dict):
        value = value.get("asked", value.get("request", value))
    return _without_moments(value)


def _without_moments(value: object) -> object:
    """YAML turns an unquoted moment into one; requests are texts."""
    from datetime import date

    if isinstance(value, dict):
        return {name: _without_moments(member) for name, member in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def _as_flag_error(error: DocumentError) -> str:
    hint = f" ({error.hint})" if error.hint else ""
    return f"--{error.path.replace('_', '-')}: found {error.found}, expected {error.expected}{hint}"
