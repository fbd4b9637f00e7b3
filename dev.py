#!/usr/bin/env python3
"""Everything a developer runs, with nothing but a Python: `python3 dev.py run | test | check | lock | setup`.

The environment is made in `.venv` from the hash-checked lock files and made again only when they change. It needs
no root, no `ensurepip` and no virtualenv package: Debian's python3 will do, also where it is marked as
externally managed (PEP 668). Standard library only; the syntax stays readable to older Pythons, so that they
can say what is wanted.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed"
LOCKS = {"runtime": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}
SWIFT = "tests/upstream_swift/requirements"
"""The second upstream of the tests, which has an environment of its own."""
PACKAGES = ("cos", "policies", "gateway", "emulator")
MINIMUM = (3, 11)
PIP_OPTIONS = ("--quiet", "--disable-pip-version-check")
MINIMUM_PIP = (22, 3)
"""The first pip that installs into another environment."""

USAGE = """\
usage: python3 dev.py COMMAND [ARGUMENTS]

  run [ARGUMENTS]   the gateway with an embedded COS and a guided copy (arguments: those of `cos-gateway demo`)
  test              lint, format, types, import contracts and the whole test suite
  test ARGUMENTS    only pytest, with these arguments; `test --fast`: only pytest, everything
  check             lint, format, types and import contracts
  clients           install the client programs that the tests run, into var/clients
  clients-table     run them all and write their table into README.md
  setup             only the environment, with the development tools
  lock              write the lock files anew from pyproject.toml
  clean             remove the environment and the caches of tools; var/ with its keys and logs stays
"""
CHECKS = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("imports", ("lint-imports", "--no-logo")),
)


class Problem(Exception):
    """Something the person at the keyboard has to mend; the text says how."""


def main(arguments: list[str]) -> int:
    """Run one command; the exit code is its own, 1 for a Problem, 2 for wrong usage."""
    if sys.version_info < MINIMUM:  # this very message is for older Pythons
        say(f"COS Gateway needs Python {version(MINIMUM)} or newer; this is {version(sys.version_info[:2])}")
        say(f"({sys.executable}). Run it with a newer one, for example: python3.12 dev.py run")
        return 1
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    try:
        if command == "run":
            return run(rest)
        if command == "test":
            return test(rest)
        plain = {
            "check": check,
            "clients": clients,
            "clients-table": clients_table,
            "setup": lambda: set_up("dev"),
            "lock": lock,
            "clean": clean,
        }
        if command in plain and not rest:
            return plain[command]()
    except Problem as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        return 130
    print(USAGE, end="", file=sys.stderr)
    return 2


# --- commands ----------------------------------------------------------------------------------------------


def run(arguments: list[str]) -> int:
    """Become `cos-gateway demo`, so that signals reach it directly."""
    set_up("runtime")
    program = str(VENV / "bin" / "cos-gateway")
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(program, [program, "demo", *arguments])  # noqa: S606  # our own program, no shell wanted


def test(arguments: list[str]) -> int:
    set_up("dev")
    if arguments:
        rest = [argument for argument in arguments if argument != "--fast"]
        return run_tool(("pytest", *rest))
    clients()
    return run_all((*CHECKS, ("tests", ("pytest", "-m", "not slow"))))


def clients() -> int:
    """What cannot be installed is told, and skipped by the tests, or failed by them where CI is set."""
    set_up("dev")
    return run_tool(("python", "-m", "tests.clients.install"))


def clients_table() -> int:
    clients()
    return run_tool(("python", "-m", "tests.clients.report"))


def check() -> int:
    set_up("dev")
    return run_all(CHECKS)


def lock() -> int:
    """Resolve pyproject.toml, and what Swift needs, for every platform, with hashes, without naming any index."""
    with tempfile.TemporaryDirectory() as folder:
        tools = Path(folder)
        venv.create(tools, with_pip=False)
        python = tools / "bin" / "python"
        call([*installer(python), "uv"], "uv could not be installed.")
        for kind, groups in (("runtime", ("build",)), ("dev", ("build", "dev"))):
            resolve(tools, "pyproject.toml", LOCKS[kind].name, [o for group in groups for o in ("--group", group)])
        resolve(tools, f"{SWIFT}.in", f"{SWIFT}.txt", [])
    return 0


def resolve(tools: Path, source: str, target: str, options: list[str]) -> None:
    """Write one lock file. Raises Problem."""
    call(
        [
            str(tools / "bin" / "uv"), "pip", "compile", source, *options,
            "--universal", "--python-version", version(MINIMUM), "--generate-hashes",
            "--no-emit-index-url", "--no-header", "--quiet", "--output-file", target,
        ],
        "The dependencies could not be resolved.",
    )  # fmt: skip


def clean() -> int:
    caches = (".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache", "build", "dist")
    for name in (VENV.name, *caches):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for package in (*PACKAGES, "tests"):
        for folder in (ROOT / package).rglob("__pycache__"):
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def run_all(steps: tuple[tuple[str, tuple[str, ...]], ...]) -> int:
    """Run every step, also after a failure, and say in the end which failed."""
    failed = []
    for name, command in steps:
        say(f"== {name}: {' '.join(command)}")
        if run_tool(command) != 0:
            failed.append(name)
    say(f"FAILED: {', '.join(failed)}" if failed else "All passed.")
    return 1 if failed else 0


def run_tool(command: tuple[str, ...]) -> int:
    sys.stdout.flush()
    return subprocess.run([str(VENV / "bin" / command[0]), *command[1:]], cwd=ROOT, check=False).returncode


# --- the environment ---------------------------------------------------------------------------------------


def set_up(kind: str) -> int:
    """Make `.venv` hold exactly the lock file's packages and this project; at once when it does already."""
    with only_one_at_a_time():
        if not up_to_date(kind):
            build(kind)
    compile_packages()
    return 0


def up_to_date(kind: str) -> bool:
    """Whether a finished environment of this kind stands; one with the development tools serves both."""
    try:
        installed, digest = STAMP.read_text().split()
    except (OSError, ValueError):
        return False
    return installed in (kind, "dev") and digest == fingerprint(installed) and (VENV / "bin" / "python").exists()


def fingerprint(kind: str) -> str:
    """A digest of everything the environment is made from, the place it stands at included."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {ROOT}".encode())
    for path in (LOCKS[kind], ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build(kind: str) -> None:
    python = VENV / "bin" / "python"
    with contextlib.suppress(FileNotFoundError):
        STAMP.unlink()
    if not usable(python):
        say(f"Making the environment in {VENV.name} with Python {version(sys.version_info[:2])}.")
        venv.create(VENV, with_pip=False, clear=True, symlinks=True)
    install = installer(python)
    say(f"Installing from {LOCKS[kind].name}; the first time takes a minute or two.")
    call(
        [*install, "--require-hashes", "--no-deps", "-r", str(LOCKS[kind])],
        f"The packages of {LOCKS[kind].name} could not be installed; is the package index reachable?",
    )
    call(
        [*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
        "The project itself could not be installed.",
    )
    # Some environments forbid writing bytecode on import; without it every start would compile it all again.
    compile_bytecode([str(path) for path in VENV.glob("lib/python*/site-packages")])
    temporary = STAMP.with_suffix(".new")
    temporary.write_text(f"{kind} {fingerprint(kind)}\n")
    temporary.replace(STAMP)


def usable(python: Path) -> bool:
    """Whether the environment's Python runs and is of the version that runs this."""
    if not python.exists():
        return False
    question = "import sys; print(*sys.version_info[:2])"
    answer = subprocess.run([str(python), "-c", question], capture_output=True, text=True, check=False)
    return answer.stdout.split() == [str(part) for part in sys.version_info[:2]]


def installer(python: Path) -> list[str]:
    """An install command for that environment, as far as its options: uv's, or of a pip outside or inside it.

    Raises Problem.
    """
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--quiet", "--python", str(python)]
    if importlib.util.find_spec("pip") is not None:
        answer = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=False)
        words = answer.stdout.split()
        found = tuple(int(part) for part in words[1].split(".")[:2] if part.isdigit()) if len(words) > 1 else ()
        if found >= MINIMUM_PIP:
            return [sys.executable, "-m", "pip", "--python", str(python), "install", *PIP_OPTIONS]
    inside = [str(python), "-m", "pip"]
    for prepare in ([*inside, "--version"], [str(python), "-m", "ensurepip", "--default-pip"]):
        if subprocess.run(prepare, capture_output=True, check=False).returncode == 0:
            return [*inside, "install", *PIP_OPTIONS]
    raise Problem(
        f"Nothing to install packages with: {sys.executable} has neither pip {version(MINIMUM_PIP)} or newer nor "
        "ensurepip, and there is no uv.\nInstall one of them, for example: apt install python3-pip"
    )


def compile_packages() -> None:
    """The project's own bytecode, for the same reason; a moment when nothing changed."""
    compile_bytecode([str(ROOT / package) for package in PACKAGES])


def compile_bytecode(folders: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # Test data of some packages is not valid Python on purpose: what does not compile is left as it is.
    command = [str(VENV / "bin" / "python"), "-m", "compileall", "-qq", "-j", "0", *folders]
    subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def only_one_at_a_time():  # type: ignore[no-untyped-def]  # its type is not spelt the same in every Python
    """Let a second set-up wait until the first has finished."""
    folder = ROOT / "var"
    folder.mkdir(exist_ok=True)
    with (folder / "setup.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is running; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def call(command: list[str], complaint: str) -> None:
    """Run a command whose failure ends everything; only then is its output of interest. Raises Problem."""
    answer = subprocess.run(command, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if answer.returncode != 0:
        raise Problem(f"{answer.stdout}\n{complaint}\nThe command was: {' '.join(command)}")


def say(text: str) -> None:
    print(text, flush=True)


def version(parts: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in parts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
