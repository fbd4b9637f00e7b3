"""Install OpenStack Swift into var/clients/swift; at once when it is there already.

Run with the client programs (`python3 dev.py clients`). It gets an environment of its own, from a lock file with
hashes that `python3 dev.py lock` writes: what it pins is nobody else's business. Its erasure-code library comes with
the wheel of pyeclib; no compiler and no Debian package is needed.
"""

from __future__ import annotations

import hashlib
import os
import sys
import venv
from pathlib import Path

import dev
from tests.support.client_process import ROOT

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FOLDER = ROOT / "var" / "clients" / "swift"
PYTHON = FOLDER / "bin" / "python"
STAMP = FOLDER / "installed"


def install() -> None:
    """Raises dev.Problem."""
    if STAMP.exists() and STAMP.read_text(encoding="ascii") == fingerprint():
        return
    dev.say("Installing OpenStack Swift into var/clients.")
    venv.create(FOLDER, with_pip=False, clear=True, symlinks=True)
    dev.call(
        [*dev.installer(PYTHON), "--require-hashes", "--no-deps", "-r", str(REQUIREMENTS)],
        "OpenStack Swift could not be installed.",
    )
    # Where importing writes no bytecode every start would compile it all again.
    dev.compile_bytecode([str(path) for path in FOLDER.glob("lib/python*/site-packages")])
    STAMP.write_text(fingerprint(), encoding="ascii")


def fingerprint() -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]} {FOLDER}".encode())
    digest.update(REQUIREMENTS.read_bytes())
    return digest.hexdigest()


def missing() -> str | None:
    """Why Swift cannot be run here, None when it can."""
    if sys.platform != "linux":
        return "OpenStack Swift runs on Linux only"
    if not STAMP.exists():
        return "OpenStack Swift is not installed: python3 dev.py clients"
    try:
        os.setxattr(STAMP, "user.swift", b"x" * 1000)
    except OSError as error:
        return f"OpenStack Swift needs a disk with extended attributes below {FOLDER.name}/: {error.strerror}"
    return None
