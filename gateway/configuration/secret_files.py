"""Secrets that stand in files of their own: read once at start, so that the gateway finds them in one place only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.configuration.errors import Location, SettingsError, render_key
from gateway.configuration.sources import Layer
from gateway.secret import Secret

if TYPE_CHECKING:
    from gateway.settings import Settings

MAX_FILE_BYTES = 64 * 1024

_OTHERS = 0o007
_GROUP_WRITE = 0o020


class SecretFileError(Exception):
    """A secret file cannot be used. The message names the file and never shows what it holds."""


def read_secret_file(path: Path) -> Secret:
    """The one line a secret file holds. Raises SecretFileError, also when others may read or change the file."""
    try:
        mode = path.stat().st_mode
        if mode & (_OTHERS | _GROUP_WRITE):
            raise SecretFileError(f"{path} with mode {mode & 0o777:04o}, which others may read or change")
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SecretFileError(f"{path}: {error.strerror}") from None
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise SecretFileError(f"{path} with bytes that are not UTF-8") from None
    if not text or len(raw) > MAX_FILE_BYTES or not text.isprintable():
        raise SecretFileError(f"{path}, which is empty, too long or more than one line")
    return Secret(text)


def read_secret_files(settings: Settings, layer: Layer) -> tuple[Settings, list[SettingsError]]:
    """Credentials and keys with the secrets their files hold, and what was wrong with the files."""
    errors: list[SettingsError] = []

    def secret(inline: Secret | None, file: Path | None, location: Location) -> Secret | None:
        if file is None:
            return inline
        try:
            return read_secret_file(file)
        except SecretFileError as error:
            mark, key = layer.mark_of(location), render_key(location)
            errors.append(SettingsError(mark, key, f"{error}", "a file of one line, mode 0600"))
            return inline

    credentials = tuple(
        item.model_copy(
            update={"secret_key": secret(item.secret_key, item.secret_key_file, ("credentials", i, "secret_key_file"))}
        )
        for i, item in enumerate(settings.credentials)
    )
    keys = tuple(
        item.model_copy(update={"secret": secret(item.secret, item.secret_file, ("keys", i, "secret_file"))})
        for i, item in enumerate(settings.keys)
    )
    return settings.model_copy(update={"credentials": credentials, "keys": keys}), errors
