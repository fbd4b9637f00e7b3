"""What an emulator is made of: accounts, buckets, limits and waits. Plain values, no file format.

Every name and key in the defaults is made up; none belongs to anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cos.values import appid_of, parse_bucket, parse_region
from emulator.faults import FaultRule
from emulator.store.model import Versioning


@dataclass(frozen=True, slots=True)
class Credential:
    """A key pair the emulator accepts; with a `token` it is a temporary one and the token must come along.

    `expires` is Unix seconds; None means never.
    """

    secret_id: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An owner of buckets: the APPID that ends their names, the UIN that owners are shown as, its keys."""

    appid: str
    uin: str
    credentials: tuple[Credential, ...]

    @property
    def owner_id(self) -> str:
        """The owner as COS writes it in listings."""
        return f"qcs::cam::uin/{self.uin}:uin/{self.uin}"


@dataclass(frozen=True, slots=True)
class SeedObject:
    """An object that exists from the start: either `data`, or `pattern_bytes` synthetic bytes from `seed`."""

    key: str
    data: bytes = b""
    pattern_bytes: int | None = None
    seed: int = 0
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class BucketSpec:
    """A bucket that exists from the start; accounts in `shared_with` (APPIDs) may read its objects.

    Raises COSError for a name or region that is none.
    """

    name: str
    region: str
    versioning: Versioning = Versioning.OFF
    shared_with: tuple[str, ...] = ()
    objects: tuple[SeedObject, ...] = ()

    def __post_init__(self) -> None:
        parse_bucket(self.name)
        parse_region(self.region)

    @property
    def appid(self) -> str:
        return appid_of(parse_bucket(self.name))


DEFAULT_ACCOUNT = Account(
    appid="1250000000",
    uin="100000000001",
    credentials=(Credential("AKIDEMULATOR0000000000000000000001", "EmulatorSecretKey0000000000000001"),),
)


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """Everything an emulator can be told.

    `domains` are its own host names, besides the real COS ones. `complete_seconds` is how long Complete takes:
    above zero it answers 200 at once and sends a space every `keepalive_seconds` until the result.
    `request_log` is a file for one JSON line per request. `faults` are in force from the start.
    Raises ValueError for accounts that share an APPID or a key, and for a bucket without account.
    """

    accounts: tuple[Account, ...] = (DEFAULT_ACCOUNT,)
    buckets: tuple[BucketSpec, ...] = ()
    domains: tuple[str, ...] = ("127.0.0.1", "localhost")
    complete_seconds: float = 0.0
    keepalive_seconds: float = 1.0
    max_skew_seconds: int = 900
    request_log: Path | None = None
    faults: tuple[FaultRule, ...] = ()

    def __post_init__(self) -> None:
        appids = [account.appid for account in self.accounts]
        keys = [credential.secret_id for account in self.accounts for credential in account.credentials]
        if len(set(appids)) != len(appids) or len(set(keys)) != len(keys):
            raise ValueError("expected every APPID and every secret ID once")
        for bucket in self.buckets:
            if bucket.appid not in appids:
                raise ValueError(
                    f"expected an account for bucket {bucket.name!r}, got none with APPID {bucket.appid!r}"
                )
