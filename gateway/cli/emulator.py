"""`cos-gateway emulator`: the embedded COS alone, for tests and tools that want a COS without the cloud."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import REFUSED, complain, reported, say

if TYPE_CHECKING:
    from emulator.settings import EmulatorSettings

DEFAULT_ID = "AKIDEMULATOR"
DEFAULT_BUCKET = "examplebucket-1250000000@ap-guangzhou"


def emulator(
    bucket: Annotated[
        list[str] | None,
        typer.Option(help="Bucket at the start, name@region; may repeat.", show_default=DEFAULT_BUCKET),
    ] = None,
    port: Annotated[int, typer.Option(help="Port on the loopback address; 0: any free.")] = 8090,
    store: Annotated[Path | None, typer.Option(help="Folder for the objects; else memory.", show_default=False)] = None,
    secret_id: Annotated[
        str, typer.Option(help="SecretId to accept; of several accounts, how theirs begin.")
    ] = DEFAULT_ID,
    secret_file: Annotated[
        Path | None, typer.Option(help="File with the SecretKey, mode 0600; else one is made up.", show_default=False)
    ] = None,
) -> None:
    """Run the embedded COS alone, on the loopback address, until TERM or Ctrl-C."""
    with reported():
        from gateway.configuration.secret_files import read_secret_file

        secret_key = read_secret_file(secret_file).reveal() if secret_file else secrets.token_urlsafe(24)
        settings = _settings(bucket or [DEFAULT_BUCKET], secret_id, secret_key)
        for account in settings.accounts:
            (credential,) = account.credentials
            # A secret made up just now has to be shown once; one from a file has not.
            shown = "(from its file)" if secret_file else secret_key
            say(f"account {account.appid}  SecretId {credential.secret_id}  SecretKey {shown}")
        try:
            asyncio.run(_serve(settings, port, store))
        except OSError as error:
            complain(f"error: cannot listen on 127.0.0.1:{port}: {error.strerror}")
            raise typer.Exit(REFUSED) from None


def _settings(buckets: Sequence[str], secret_id: str, secret_key: str) -> EmulatorSettings:
    """One account for every APPID among the buckets. Raises typer.BadParameter."""
    from cos.errors import COSError
    from emulator.settings import DEFAULT_ACCOUNT, Account, BucketSpec, Credential, EmulatorSettings

    try:
        specs = [BucketSpec(name=name, region=region) for name, _, region in (text.partition("@") for text in buckets)]
    except COSError as error:
        raise typer.BadParameter(error.message, param_hint="--bucket") from None
    appids = sorted({spec.appid for spec in specs})
    return EmulatorSettings(
        accounts=tuple(
            Account(
                appid=appid,
                uin=DEFAULT_ACCOUNT.uin,
                credentials=(Credential(secret_id if len(appids) == 1 else f"{secret_id}{appid}", secret_key),),
            )
            for appid in appids
        ),
        buckets=tuple(specs),
    )


async def _serve(settings: EmulatorSettings, port: int, folder: Path | None) -> None:
    from emulator.server import running
    from emulator.store.disk import DiskStore

    store = DiskStore(folder) if folder is not None else None
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings, store=store, port=port) as cos:
        say(f"serving {cos.url}")
        await stop.wait()
