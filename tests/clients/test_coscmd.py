"""coscmd, the command-line tool, through the gateway: as its HTTP proxy, and as its endpoint.

With a proxy the tool runs exactly as installed. With an endpoint it needs wildcard name resolution, which
the client process provides.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client_process import ROOT, clean_environment
from tests.support.names import CALLER_KEY, EXAMPLE, FARAWAY, GATEWAY_DOMAIN, Key
from tests.support.site import MIB, Site, fresh_key, pattern
from tests.support.watch import Watch

COMMAND_SECONDS = 60
RESOLVED = "from tests.support.client_process import install_resolver; install_resolver(); "
START = "import sys; from coscmd.cos_cmd import _main; sys.exit(_main())"
CONTENT = pattern(MIB + 321, seed=62)

Coscmd = Callable[..., subprocess.CompletedProcess[str]]


def write_configuration(path: Path, *, mode: str, port: int, key: Key = CALLER_KEY) -> None:
    """What `coscmd config` writes."""
    where = f"endpoint = {GATEWAY_DOMAIN}:{port}" if mode == "endpoint" else f"region = {EXAMPLE.region}"
    path.write_text(
        "[common]\n"
        f"secret_id = {key.secret_id}\nsecret_key = {key.secret_key}\n"
        f"bucket = {EXAMPLE.name}\n{where}\n"
        "multiupload_threshold = 20\nmultidownload_threshold = 20\n"
        "schema = http\nmax_thread = 2\npart_size = 1\nretry = 1\ntimeout = 20\nverify = md5\nanonymous = False\n",
        encoding="utf-8",
    )


@pytest.fixture(params=["proxy", "endpoint"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def coscmd(mode: str, gateway_site: Site, tmp_path: Path) -> Coscmd:
    """Run the tool once and return what it printed and how it ended."""
    configuration = tmp_path / "cos.conf"

    def run(*arguments: str, key: Key = CALLER_KEY) -> subprocess.CompletedProcess[str]:
        write_configuration(configuration, mode=mode, port=gateway_site.port, key=key)
        proxy = {"http_proxy": f"http://127.0.0.1:{gateway_site.port}"} if mode == "proxy" else {}
        start = START if mode == "proxy" else RESOLVED + START
        return subprocess.run(
            [sys.executable, "-c", start, "-c", str(configuration), "-l", str(tmp_path / "coscmd.log"), *arguments],
            cwd=ROOT,
            env=clean_environment(HOME=str(tmp_path), **proxy),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    return run


def assert_done(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, f"{done.args}: {done.stdout} {done.stderr}"


@pytest.mark.usefixtures("only_the_servers_credential")
def test_a_file_goes_up_and_comes_down_and_is_deleted(coscmd: Coscmd, tmp_path: Path) -> None:
    key = fresh_key("coscmd/目录 a+b")
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(CONTENT)
    assert_done(coscmd("upload", str(there), key))
    assert_done(coscmd("download", key, str(back)))
    assert back.read_bytes() == CONTENT
    listed = coscmd("list", "coscmd/")
    assert_done(listed)
    assert key in listed.stdout
    assert_done(coscmd("delete", "-f", key))
    assert coscmd("info", key).returncode != 0


@pytest.mark.usefixtures("only_the_servers_credential")
def test_a_large_file_goes_up_in_parts(coscmd: Coscmd, gateway_site: Site, tmp_path: Path) -> None:
    key = fresh_key("coscmd/large")
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(pattern(21 * MIB, seed=64))
    upstream = Watch(gateway_site)
    assert_done(coscmd("upload", str(there), key))
    assert [entry.operation for entry in upstream.new()].count("UploadPart") == 21
    assert_done(coscmd("download", key, str(back)))
    assert back.read_bytes() == there.read_bytes()


@pytest.mark.usefixtures("only_the_servers_credential")
async def test_copy_from_another_region_is_byte_identical(
    coscmd: Coscmd, mode: str, gateway_site: Site, tmp_path: Path
) -> None:
    source_key = await gateway_site.seed(FARAWAY, CONTENT)
    host = FARAWAY.host if mode == "proxy" else f"{FARAWAY.name}.{GATEWAY_DOMAIN}:{gateway_site.port}"
    key = fresh_key("coscmd/copy")
    assert_done(coscmd("copy", f"{host}/{source_key}", key))
    assert (await gateway_site.get(EXAMPLE, key)).body == CONTENT


def test_a_wrong_key_is_refused_and_nothing_is_sent(coscmd: Coscmd, gateway_site: Site, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    upstream = Watch(gateway_site)
    done = coscmd("upload", str(file), fresh_key("coscmd/refused"), key=Key(CALLER_KEY.secret_id, "wrong secret"))
    assert done.returncode != 0
    assert "SignatureDoesNotMatch" in done.stdout + done.stderr
    assert upstream.new() == []
