"""Install the clients that need a place of their own into var/clients; at once when they are there already.

Run as `python3 dev.py clients`, and before a whole test run. Python clients get an environment of their own,
because they pin libraries that the development tools pin otherwise; Node clients come from a lock file. Debian's
programs are installed by root where there is apt, and otherwise named. OpenStack Swift, a second upstream, comes with
them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import dev
from tests.clients.abilities import EXTRA_PYTHON, INSTALLED
from tests.upstream_swift import install_swift

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
NODE_FILES = ("package.json", "package-lock.json", ".npmrc")
DEBIAN = ("rclone", "s3cmd", "postgresql")
"""PostgreSQL is no client: the store's tests run a server of their own."""
STAMP = INSTALLED / "installed"


def main() -> int:
    """1 when something could not be installed; what could be is there then."""
    missing = [name for name in DEBIAN if not is_there(name)]
    if missing:
        install_debian(missing)
    INSTALLED.mkdir(parents=True, exist_ok=True)
    try:
        if not STAMP.exists() or STAMP.read_text(encoding="ascii") != fingerprint():
            install_python()
            install_node()
            STAMP.write_text(fingerprint(), encoding="ascii")
        install_swift.install()
    except dev.Problem as problem:
        dev.say(str(problem))
        return 1
    return 0


def is_there(name: str) -> bool:
    # Debian puts PostgreSQL's server programs beside the path.
    return shutil.which(name) is not None or any(Path("/usr/lib", name).glob("*/bin/initdb"))


def fingerprint() -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]} {INSTALLED}".encode())
    for path in (REQUIREMENTS, *(HERE / "node" / name for name in NODE_FILES)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install_python() -> None:
    dev.say("Installing the Python clients into var/clients.")
    venv.create(EXTRA_PYTHON.parents[1], with_pip=False, clear=True, symlinks=True)
    dev.call(
        [*dev.installer(EXTRA_PYTHON), "--no-deps", "-r", str(REQUIREMENTS)],
        "The Python clients could not be installed.",
    )


def install_node() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise dev.Problem("There is no npm: the Node.js clients are not installed.")
    dev.say("Installing the Node.js clients into var/clients.")
    folder = INSTALLED / "node"
    folder.mkdir(exist_ok=True)
    for name in NODE_FILES:
        shutil.copyfile(HERE / "node" / name, folder / name)
    dev.call([npm, "ci", "--ignore-scripts", "--prefix", str(folder)], "The Node.js clients could not be installed.")


def install_debian(names: list[str]) -> None:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        dev.say(f"Not installed: {', '.join(names)} (apt-get install {' '.join(names)})")
        return
    dev.say(f"Installing {', '.join(names)} with apt.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *names]):
        done = subprocess.run([apt, "-qq", *command], env=environment, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            dev.say(f"{done.stdout}{done.stderr}\nNot installed: {', '.join(names)}")
            return


if __name__ == "__main__":
    sys.exit(main())
