"""`cos-gateway check`: would the gateway start and serve with this configuration? It changes nothing."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gateway.cli.named import Named
from gateway.cli.output import USAGE, ConfigOption, complain, say

if TYPE_CHECKING:
    from gateway.settings import Settings

Problems = Iterator[str]


def check(config: ConfigOption = None) -> None:
    """Check settings, policies with their tests, the master key, the store and the audit log. Exit code 2: problems."""
    from gateway.configuration.errors import SettingsErrors
    from gateway.settings import load_settings

    try:
        settings = load_settings(config)
    except SettingsErrors as wrong:
        _finish([str(error) for error in wrong.errors])
        return
    say("settings: read")
    problems: list[str] = []
    checks: dict[str, Callable[[Settings], Problems]] = {
        "policies": _policies, "master key": _master_key, "store": _store, "audit log": _audit, "upstream": _upstream,
    }  # fmt: skip
    if settings.tls.certificate is not None:
        checks["tls"] = _tls
    for name, find_problems in checks.items():
        found = list(find_problems(settings))
        problems += found
        if not found:
            say(f"{name}: ready")
    _finish(problems)


def _finish(problems: list[str]) -> None:
    for problem in problems:
        complain(problem)
    if problems:
        complain(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} found.")
        raise typer.Exit(USAGE)


def _policies(settings: Settings) -> Problems:
    from gateway.policy_files import read_documents
    from gateway.services import territories
    from policies.loading import load_policies
    from policies.problems import PolicyErrors

    if not settings.policies.paths:
        yield "policies.paths: found no document, expected at least one: without any, everything is denied"
        return
    try:
        load_policies(read_documents(settings.policies.paths), territories=territories(settings))
    except PolicyErrors as wrong:
        yield from map(str, wrong.errors)


def _tls(settings: Settings) -> Problems:
    from datetime import UTC, datetime

    from gateway.tls.files import TlsFileError, load

    try:
        found = load(settings.tls)
    except TlsFileError as wrong:
        yield str(wrong)
        return
    if not found.is_current(datetime.now(UTC)):
        yield f"tls: found what is out of date, expected a moment within {found.period}"


def _master_key(settings: Settings) -> Problems:
    from gateway.credential_services import open_master_keys
    from gateway.credentials.master_key import MasterKeyError

    try:
        keys = asyncio.run(open_master_keys(settings))
    except MasterKeyError as wrong:
        yield f"master_key: {wrong}"
        return
    if not keys:
        yield (
            "master_key: found none, expected master_key.file or COSGW_MASTER_KEY: the gateway would run sealed "
            "(make one with `cos-gateway master-key create FILE`)"
        )
        return
    yield from _unopenable(settings, {key.id for key in keys})


def _unopenable(settings: Settings, loaded: set[str]) -> Problems:
    """Secrets that were sealed by a master key that is not here. What is wrong with the store is told elsewhere."""
    from gateway.cli.store_probe import StoreUnreadable, look_into
    from gateway.credentials.master_key_needs import missing_master_keys, needed_master_keys

    with suppress(StoreUnreadable):
        look = asyncio.run(look_into(settings.store))
        problem = missing_master_keys(needed_master_keys(look.sealed), loaded) if look is not None else None
        if problem is not None:
            yield f"master_key: {problem}"


def _store(settings: Settings) -> Problems:
    from gateway.cli.store_probe import StoreUnreadable, look_into

    try:
        look = asyncio.run(look_into(settings.store))
    except StoreUnreadable as wrong:
        yield f"{'store.path' if settings.store.postgresql is None else 'store.postgresql'}: {wrong}"
        return
    if look is None and (problem := _cannot_make(settings.store.path)):
        yield f"store.path: {problem}"
    stored = look.credentials if look is not None else ()
    yield from _credentials(settings, [Named(name, account) for name, account in stored])


def _credentials(settings: Settings, stored: list[Named]) -> Problems:
    """Names that lead nowhere, and buckets that no credential opens."""
    from gateway.credential_services import choice_of
    from gateway.ports import CredentialUnavailable
    from gateway.services import bucket_records

    known = [*stored, *(Named(credential.name, credential.account) for credential in settings.credentials)]
    names = {credential.name for credential in known}
    for where, name in _names_used(settings):
        if name not in names:
            yield f"{where}: found {name!r}, expected a stored or configured one"
    choice = choice_of(settings)
    for index, bucket in enumerate(bucket_records(settings)):
        if bucket.credential is not None:
            continue
        try:
            choice.for_bucket(bucket, known)
        except CredentialUnavailable as error:
            if any(credential.account == bucket.account for credential in known):
                yield f"buckets[{index}]: {error}"
            else:
                wanted = f"expected one for {bucket.name}"
                yield f"buckets[{index}]: found no credential of account {bucket.account}, {wanted}"


def _names_used(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every place that names a credential."""
    from gateway.configuration.credential_checks import base_of

    for index, bucket in enumerate(settings.buckets):
        if bucket.credential is not None:
            yield f"buckets[{index}].credential", bucket.credential
    for index, credential in enumerate(settings.credentials):
        if (base := base_of(credential)) is not None:
            yield f"credentials[{index}]", base
    for group in ("assignments", "cross_account"):
        for index, item in enumerate(getattr(settings, group)):
            yield f"{group}[{index}].credential", item.credential
    for index, name in enumerate(settings.discovery.credentials):
        yield f"discovery.credentials[{index}]", name


def _audit(settings: Settings) -> Problems:
    path = settings.audit.path
    problem = _cannot_make(path) if not path.exists() else None if os.access(path, os.W_OK) else f"cannot write {path}"
    if problem:
        yield f"audit.path: {problem}"


def _upstream(settings: Settings) -> Problems:
    path = settings.upstream.ca_file
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        yield f"upstream.ca_file: found {path} ({error.strerror or error}), expected certificates in PEM"


def _cannot_make(path: Path) -> str | None:
    """Why the file could not be made; None when it could."""
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return f"cannot write {path}: {folder} is no folder that this account may write to"
    return None
