"""The gateway, running for tests in front of an embedded COS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from cos.signing import Scheme
from emulator.server import RunningEmulator
from gateway.app import running as running_gateway
from gateway.settings import Settings
from tests.support.client import Client
from tests.support.names import ACCOUNT, BUCKETS, CALLER_KEY, FOREIGN, GATEWAY_DOMAIN, OLD_KEY, SERVER_KEY
from tests.support.servers import in_background
from tests.support.site import Kind, Site

PRINCIPAL = "team:conformance"
ALLOW_EVERYTHING = f"""\
version: 1
statements:
  - id: objects
    effect: allow
    principals: ["{PRINCIPAL}"]
    actions: ["cos:*"]
    resource: {{bucket: "*", key: "*"}}
  - id: copies
    effect: allow
    principals: ["{PRINCIPAL}"]
    actions: ["cos:UploadPartCopy", "cos:PutObjectCopy"]
    source: {{bucket: "*", key: "*"}}
    destination: {{bucket: "*", key: "*"}}
  - id: preflights
    effect: allow
    principals: ["anonymous"]
    actions: ["cos:OptionsObject", "cos:OptionsBucket"]
    resource: {{bucket: "*", key: "*"}}
"""
"""COS's own rules stay: they are built in."""


def gateway_settings(endpoint: str, folder: Path) -> Settings:
    """A gateway in front of `endpoint` that knows every bucket of ours and lets CALLER_KEY do anything."""
    policy = folder / "policy.yaml"
    policy.write_text(ALLOW_EVERYTHING, encoding="utf-8")
    return Settings.model_validate(
        {
            "data": {"port": 0, "domains": [GATEWAY_DOMAIN, "127.0.0.1", "localhost"]},
            "admin": {"port": 0},
            "upstream": {"endpoint": endpoint},
            "store": {"path": folder / "gateway.db"},
            "master_key": {"value": token_hex(32)},
            "audit": {"path": folder / "audit.jsonl", "durability": "process"},
            "policies": {"paths": [policy], "watch": False},
            "buckets": [{"name": bucket.name, "region": bucket.region} for bucket in BUCKETS if bucket != FOREIGN],
            "credentials": [
                {
                    "name": "server",
                    "account": ACCOUNT,
                    "secret_id": SERVER_KEY.secret_id,
                    "secret_key": SERVER_KEY.secret_key,
                }
            ],
            "keys": [{"id": CALLER_KEY.secret_id, "secret": CALLER_KEY.secret_key, "principal": PRINCIPAL}],
        }
    )


def with_sigv2(settings: Settings) -> Settings:
    """The same gateway, but it accepts Signature Version 2, of OLD_KEY; CALLER_KEY's label says no."""
    (key,) = settings.keys
    values = {"principal": PRINCIPAL, "secret": OLD_KEY.secret_key}
    keys = (
        key.model_copy(update={"labels": {"sigv2": "deny"}}),
        type(key).model_validate({"id": OLD_KEY.secret_id, "labels": {"sigv2": "allow"}, **values}),
    )
    signature = settings.signature.model_copy(update={"sigv2": True})
    return settings.model_copy(update={"keys": keys, "signature": signature})


@contextmanager
def sigv2_site(emulator: RunningEmulator, folder: Path) -> Iterator[Site]:
    """A gateway that accepts Signature Version 2, in front of a running embedded COS."""
    settings = with_sigv2(gateway_settings(f"http://127.0.0.1:{emulator.port}", folder))
    with in_background(running_gateway(settings)) as gateway:
        yield Site(Kind.GATEWAY, Client(gateway.data_port, OLD_KEY, Scheme.SIGV4), emulator)


@contextmanager
def gateway_site(emulator: RunningEmulator, folder: Path) -> Iterator[Site]:
    """The gateway in front of a running embedded COS; its files go into `folder`."""
    settings = gateway_settings(f"http://127.0.0.1:{emulator.port}", folder)
    with in_background(running_gateway(settings)) as gateway:
        yield Site(Kind.GATEWAY, Client(gateway.data_port, CALLER_KEY), emulator)
