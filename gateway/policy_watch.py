"""Policy documents that change on disk are read anew, without a signal.

Notifications are quick and may be lost (network file systems, a folder that was replaced), so the files are also
looked at every `POLL_SECONDS`. A file is recognised as changed by what the system says of it, and whether its
content is another version is for `PolicyFiles` to tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog
from watchfiles import Change, awatch

from gateway.policy_files import PolicyFiles, document_files

POLL_SECONDS = 10.0
DEBOUNCE_MILLISECONDS = 200
"""Changes that come this close together are one: an editor writes a file in several steps."""
CAUSE = "file"

Fingerprint = tuple[tuple[str, int, int, int], ...]

_log = structlog.get_logger("gateway.policies")


async def watch_policies(policies: PolicyFiles) -> None:
    """Reload whenever a document changes, comes or goes. Runs until it is cancelled."""
    seen = await asyncio.to_thread(fingerprint, policies.paths)
    while True:
        try:
            async for _ in awatch(
                *_folders(policies.paths),
                watch_filter=_is_document,
                debounce=DEBOUNCE_MILLISECONDS,
                rust_timeout=int(POLL_SECONDS * 1000),
                yield_on_timeout=True,
                recursive=False,
            ):
                seen = await _look(policies, seen)
        except (OSError, RuntimeError) as error:
            # The folder is gone, or the system watches no more of them: looking still works.
            _log.warning("policy files cannot be watched", reason=str(error), poll_seconds=POLL_SECONDS)
        await asyncio.sleep(POLL_SECONDS)
        seen = await _look(policies, seen)


def fingerprint(paths: Sequence[Path]) -> Fingerprint:
    """What the system says of every document: name, inode, size and time of change. Blocks."""
    entries = []
    for file in document_files(paths):
        try:
            state = file.stat()
        except OSError:
            entries.append((str(file), 0, 0, 0))
        else:
            entries.append((str(file), state.st_ino, state.st_size, state.st_mtime_ns))
    return tuple(entries)


async def _look(policies: PolicyFiles, seen: Fingerprint) -> Fingerprint:
    found = await asyncio.to_thread(fingerprint, policies.paths)
    if found != seen:
        await policies.try_reload(CAUSE)
    return found


def _folders(paths: Sequence[Path]) -> list[Path]:
    """Where to look: a file is replaced by renaming, so it is its folder that changes."""
    return sorted({path if path.is_dir() else path.parent for path in paths})


def _is_document(_: Change, path: str) -> bool:
    """Documents, and the hidden links that Kubernetes swaps to replace all files of a volume at once."""
    name = Path(path).name
    return name.endswith((".yaml", ".yml")) or name.startswith("..")
