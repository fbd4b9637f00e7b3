"""What every client is asked to do, and which clients there are.

A client is a module or object with one function for each ability; what it cannot do for reasons of its own is
said here, once, and shown in the README's table. `tests/clients/report.py` writes that table.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.client_process import ROOT

INSTALLED = ROOT / "var" / "clients"
"""Where `python3 dev.py clients` installs what is not in the development environment."""
EXTRA_PYTHON = INSTALLED / "python" / "bin" / "python"

ABILITIES = {
    "upload": "put",
    "upload_parts": "multi-part",
    "upload_stream": "stream",
    "download": "get",
    "download_range": "range",
    "list_keys": "list",
    "delete": "delete",
    "presign": "presigned",
    "copy_parts": "part copy",
    "copy_if_match": "412",
    "copy_version": "version copy",
    "abort": "abort",
    "wrong_key": "wrong key",
}
"""By the name of the function, with the heading in the table."""


@dataclass(frozen=True, slots=True)
class Program:
    """One client. `module` is where its functions are, `lacks` what it does not offer and why."""

    name: str
    module: str
    extra_python: bool = False
    command: str | None = None
    only_cleans_up: bool = False
    """It aborts uploads that others began, and none of its own."""
    lacks: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> str:
        return str(EXTRA_PYTHON) if self.extra_python else sys.executable

    @property
    def missing(self) -> str | None:
        """Why it cannot be run here, None when it can."""
        if self.extra_python and not EXTRA_PYTHON.exists():
            return f"{self.name} is not installed: python3 dev.py clients"
        if self.module.startswith("node:") and not (INSTALLED / "node" / "node_modules").exists():
            return f"{self.name} is not installed: python3 dev.py clients"
        if self.command is not None and shutil.which(self.command) is None:
            return f"{self.command} is not installed: apt-get install {self.command}"
        return None


NO_RANGES = "the program has no option for ranges"
NO_CONDITIONS = "the program has no option for conditions"
NO_VERSIONS = "the program cannot name a version"

PROGRAMS = (
    Program("cos-python-sdk-v5", "tests.clients.programs.cos_python"),
    Program(
        "coscmd",
        "tests.clients.programs.coscmd",
        only_cleans_up=True,
        lacks={
            "upload_parts": "only above 20 MiB",
            "upload_stream": "the program reads files only",
            "download_range": NO_RANGES,
            "copy_parts": "only above 5 GiB",
            "copy_if_match": NO_CONDITIONS,
            "copy_version": NO_VERSIONS,
        },
    ),
    Program("cos-nodejs-sdk-v5 3.x", "node:cos_nodejs_3", command="node"),
    Program("cos-nodejs-sdk-v5 2.x", "node:cos_nodejs_2", command="node"),
    Program("boto3", "tests.clients.programs.boto3_sdk"),
    Program("aws cli", "tests.clients.programs.aws_cli", extra_python=True),
    Program("@aws-sdk/client-s3", "node:aws_sdk", command="node"),
    Program(
        "rclone",
        "tests.clients.programs.rclone",
        command="rclone",
        only_cleans_up=True,
        lacks={"copy_if_match": NO_CONDITIONS, "copy_version": NO_VERSIONS},
    ),
    Program(
        "s3cmd",
        "tests.clients.programs.s3cmd",
        command="s3cmd",
        only_cleans_up=True,
        lacks={
            "download_range": NO_RANGES,
            "presign": "it signs URLs with SigV2 (`signature.sigv2`)",
            "copy_if_match": NO_CONDITIONS,
            "copy_version": NO_VERSIONS,
        },
    ),
    Program(
        "s5cmd",
        "tests.clients.programs.s5cmd",
        extra_python=True,
        lacks={
            "download_range": NO_RANGES,
            "copy_parts": "it copies objects in one request",
            "copy_if_match": NO_CONDITIONS,
            "abort": "the program has no command for it",
        },
    ),
    Program("minio-py", "tests.clients.programs.minio_py", extra_python=True),
    Program("s3fs", "tests.clients.programs.s3fs_library", extra_python=True),
)
