"""OpenStack Swift on loopback ports: `python run_swift.py FOLDER LOG_PORT REGION DOMAIN`.

Run by the Python of Swift's own environment (`install_swift.py`), which knows nothing of this project. Swift's own
server function runs its four servers (proxy, account, container, object), each in a process, with one device
in FOLDER and one copy of everything. No memcached: only tokens need one, and S3 signatures are no tokens.

Standard input: one line `ACCOUNT:USER SECRET`, then nothing; the servers end when it does, and with their parent.
Standard output: the port of the proxy, whose socket listens by then. Logs go to the UDP port LOG_PORT, as to a syslog.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import warnings
from pathlib import Path
from typing import NoReturn

warnings.simplefilter("ignore")  # eventlet tells everybody that it is old

from swift.common import utils  # noqa: E402

DEVICE = "disk"
PIPELINE = (
    "catch_errors", "gatekeeper", "proxy-logging", "healthcheck", "listing_formats", "s3api", "tempauth", "bulk",
    "copy", "slo", "dlo", "versioned_writes", "symlink", "proxy-server",
)  # fmt: skip
"""That of Swift's sample configuration, without quotas, caches and rates."""
BACKENDS = ("account", "container", "object")

SWIFT_CONF = """\
[swift-hash]
swift_hash_path_suffix = tests
"""
COMMON = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
log_udp_host = 127.0.0.1
log_udp_port = {log_port}
"""
BACKEND_CONF = """\
devices = {folder}/devices
mount_check = false
disable_fallocate = true
fallocate_reserve = 0

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
log_requests = false
"""
PROXY_CONF = """\

[pipeline:main]
pipeline = {pipeline}

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:proxy-logging]
use = egg:swift#proxy_logging
reveal_sensitive_prefix = 64
access_log_headers = true
access_log_headers_only = x-amz-copy-source
log_msg_template = S3 {{transaction_id}} {{method}} {{domain}} {{path}} {{status_int}} {{access_user_id}} {{headers}}

[filter:s3api]
use = egg:swift#s3api
location = {region}
storage_domain = {domain}
max_upload_part_num = 10000
min_segment_size = 1048576

[filter:tempauth]
use = egg:swift#tempauth
user_{user} = {secret} .admin

[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
"""


def main(folder: Path, log_port: int, region: str, domain: str) -> None:
    access_key, secret = sys.stdin.readline().split()
    (folder / "devices" / DEVICE).mkdir(parents=True)
    (folder / "swift.conf").write_text(SWIFT_CONF, encoding="ascii")
    # Storage policies are read from swift.conf when their module is first imported.
    utils.set_swift_dir(str(folder))
    sockets = {kind: socket.create_server(("127.0.0.1", 0), backlog=128) for kind in ("proxy", *BACKENDS)}
    ports = {kind: listener.getsockname()[1] for kind, listener in sockets.items()}
    for kind, port in ports.items():
        common = COMMON.format(port=port, folder=folder, log_port=log_port)
        if kind == "proxy":
            more = PROXY_CONF.format(
                pipeline=" ".join(PIPELINE), region=region, domain=domain,
                user=access_key.replace(":", "_"), secret=secret,
            )  # fmt: skip
            plain = set(PIPELINE) - {"proxy-server", "proxy-logging", "s3api", "tempauth", "versioned_writes"}
            more += "".join(f"\n[filter:{name}]\nuse = egg:swift#{name}\n" for name in sorted(plain))
        else:
            build_ring(folder, kind, port)
            more = BACKEND_CONF.format(folder=folder, kind=kind)
        (folder / f"{kind}.conf").write_text(common + more, encoding="ascii")
    parent = os.getpid()
    children = []
    for kind, listener in sockets.items():
        pid = os.fork()
        if pid == 0:
            end_with(parent)
            serve(kind, folder / f"{kind}.conf", listener)
        children.append(pid)
    print(ports["proxy"], flush=True)
    sys.stdin.read()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, however that ends."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def build_ring(folder: Path, kind: str, port: int) -> None:
    from swift.common.ring import RingBuilder

    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
    builder.add_dev(
        {
            "id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": port,
            "replication_ip": "127.0.0.1", "replication_port": port, "device": DEVICE,
        }
    )  # fmt: skip
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


def serve(kind: str, configuration: Path, listener: socket.socket) -> NoReturn:
    """One server, in its own process, which ends with it."""
    code = 1
    try:
        # Both as in Swift's own start: importing first and patching then.
        from eventlet.greenio import GreenSocket
        from swift.common.wsgi import run_server

        utils.monkey_patch()
        conf = utils.readconf(str(configuration), f"app:{kind}-server")
        run_server(conf, utils.get_logger(conf, f"{kind}-server"), GreenSocket(listener))
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
