"""Every setting of the gateway: one field here, one commented line in `config/gateway.yaml`.

Values come from, strongest first: command-line flags, `COSGW_…` environment variables (`__` between levels, as in
`COSGW_DATA__PORT`), the YAML file, the defaults below. `load_settings` reads them all and reports every error at
once. Relative paths are relative to the working directory. Building `Settings(...)` directly reads nothing but its
arguments, which is what tests want.

Settings whose name begins with `unsafe_` weaken a protection; with `environment: production` they refuse to start.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cos.values import Bucket, appid_of
from gateway.configuration.checks import contradictions
from gateway.configuration.credentials import (
    AssignmentSettings,
    CredentialSettings,
    CrossAccountSettings,
    DiscoverySettings,
    TencentSettings,
    TransitSettings,
)
from gateway.configuration.errors import (
    SettingsError,
    SettingsErrors,
    render_key,
    translate,
)
from gateway.configuration.group import Group
from gateway.configuration.secret_files import read_secret_files
from gateway.configuration.sessions import IdentityProviderSettings, StsSettings
from gateway.configuration.sources import (
    Layer,
    lay_over,
    read_environment_layer,
    read_file_layer,
    read_flag_layer,
)
from gateway.configuration.store import StoreSettings
from gateway.configuration.tls import TlsSettings
from gateway.configuration.types import (
    Account,
    BucketName,
    Count,
    Domain,
    Endpoint,
    Network,
    Port,
    Processes,
    RegionName,
    Seconds,
    SecretText,
    Text,
    WholeSeconds,
)
from gateway.ports import KeyState
from policies.decision import ReasonDetail

__all__ = ["IN_MEMORY", "Settings", "SettingsError", "SettingsErrors", "load_settings"]

IN_MEMORY = "memory"
"""The value of `embedded.store` that keeps objects in the process."""


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class TransportKind(StrEnum):
    NATIVE = "native"
    STOCK = "stock"


class Durability(StrEnum):
    DISK = "disk"
    PROCESS = "process"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    JSON = "json"
    TEXT = "text"


class DataSettings(Group):
    """The port applications talk to. Every path on it is a possible object key."""

    host: Text = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all."""
    port: Port = 8080
    """Port to listen on; 0 takes any free one."""
    domains: tuple[Domain, ...] = ("localhost", "127.0.0.1")
    """Host names of the gateway: `<bucket>.<domain>` and `<domain>/<bucket>` are understood. No ports."""
    max_in_flight: Count = 1024
    """Requests handled at once; one more is answered 503 SlowDown at once."""
    max_in_flight_per_principal: Count = 512
    """The same for one principal, so that none can take every place."""
    max_connections: Count = 10_000
    """Client connections at once; one more is answered 503 SlowDown and closed."""
    max_connections_per_address: Count = 4096
    """The same from one address. Behind a load balancer every connection comes from its addresses."""
    min_upload_bytes_per_second: Count = 1024
    """What a body must move on average over each body_idle_timeout_seconds, or its connection is cut."""
    header_timeout_seconds: Seconds = 10.0
    """How long a client may take to send its request head."""
    body_idle_timeout_seconds: Seconds = 30.0
    """How long a client may pause while sending its body or reading the answer."""
    keepalive_seconds: Seconds = 75.0
    """How long an idle client connection is kept."""
    drain_seconds: Seconds = 30.0
    """On TERM, how long requests in flight may take to finish."""


class AdminSettings(Group):
    """Health, metrics and administration, on a port of their own."""

    host: Text = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8081
    """Port to listen on; 0 takes any free one."""
    hosts: tuple[Domain, ...] = ()
    """Host names the admin API may be asked by, besides addresses and localhost. No ports."""


class UpstreamSettings(Group):
    """The way to COS."""

    endpoint: Endpoint | None = None
    """A fixed `http(s)://host[:port]` for a private COS; null: the real COS, by each bucket's own host name."""
    transport: TransportKind = TransportKind.NATIVE
    """`native` (the gateway's own) or `stock` (httpx's)."""
    connect_timeout_seconds: Seconds = 5.0
    """TCP and TLS together."""
    response_timeout_seconds: Seconds = 60.0
    """From the end of the request to the head of the answer."""
    copy_timeout_seconds: Seconds = 600.0
    """The same for copies, which COS answers when the data is copied."""
    complete_hold_seconds: Seconds = 20.0
    """How long the answer to Complete Multipart Upload is held back to learn its real status."""
    idle_timeout_seconds: Seconds = 30.0
    """The longest pause while a body is sent or read."""
    connections_per_origin: Count = 256
    """Connections to one host, kept and busy together."""
    keepalive_seconds: Seconds = 30.0
    """How long an idle connection is kept; shorter than the other side's."""
    ca_file: Path | None = None
    """Certificate authorities in PEM; null: the system's."""
    allow_private_addresses: bool = False
    """Connect to COS host names that resolve to private addresses, as they do inside Tencent Cloud."""
    unsafe_allow_http: bool = False
    """Allow plain http to an endpoint that is not a loopback address."""


class EmbeddedSettings(Group):
    """The COS in a process that stands for the upstream in development. Refused in production."""

    enabled: bool = False
    """Start it and use it as the upstream. It listens on loopback only."""
    port: Port = 0
    """Port to listen on; 0 takes any free one."""
    store: Text = IN_MEMORY
    """`memory`, or the folder that holds the objects."""


class MasterKeySettings(Group):
    """The key that seals secrets in the store. Neither set: the gateway runs sealed and answers 503."""

    file: Path | None = None
    """File of 32 random bytes in base64 or hex, mode 0600. Environment: COSGW_MASTER_KEY_FILE."""
    value: SecretText | None = None
    """The key itself, from the environment only: COSGW_MASTER_KEY."""
    transit: TransitSettings | None = None
    """A key wrapped by HashiCorp Vault's Transit engine."""


class AuditSettings(Group):
    """What was asked, decided and done: one JSON line each."""

    path: Path = Path("var/audit.jsonl")
    """File to append to, made when missing."""
    durability: Durability = Durability.DISK
    """An intent counts as written when it is on `disk` (fsync), or left the `process`."""


class SignatureSettings(Group):
    """How old, how early and how long-lived a caller's signature may be."""

    skew_seconds: WholeSeconds = 900
    """Difference of clocks that is forgiven."""
    max_header_seconds: WholeSeconds = 86_400
    """Longest validity of a signature in a header."""
    max_query_seconds: WholeSeconds = 604_800
    """Longest validity of a presigned URL."""
    sigv2: bool = False
    """Accept AWS Signature Version 2, of keys with the label `sigv2: allow` and no others."""


class PolicySettings(Group):
    """Policy documents. None: everything is denied."""

    paths: tuple[Path, ...] = ()
    """Files, or folders of which every *.yaml is read (not their subfolders)."""
    watch: bool = True
    """Read them anew when they change; SIGHUP and the admin API do so in any case."""
    reason_detail: ReasonDetail = ReasonDetail.FULL
    """What a denied caller is told: full reason, the rule alone, or none."""


class BucketSettings(Group):
    """A bucket the organisation owns. What is not listed does not exist for the gateway."""

    name: BucketName
    """With its APPID."""
    region: RegionName
    """Where it lives."""
    account: Account = Field("", validate_default=False)
    """The APPID whose credential opens it; left out: the one in its name."""
    credential: Text | None = None
    """Name of the credential to use; null: the account's."""

    @model_validator(mode="before")
    @classmethod
    def _account_from_name(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("account") is None and isinstance(values.get("name"), str):
            # A name that is not a bucket's is refused by its own field, whatever account is read from it here.
            appid = appid_of(Bucket(values["name"]))
            return {**values, "account": appid if appid.isascii() and appid.isdigit() else "0"}
        return values


class KeySettings(Group):
    """An access key for applications, declared rather than issued."""

    id: Text
    """Access key id, the SecretId the application uses."""
    secret: SecretText | None = None
    """Its secret, inline."""
    secret_file: Path | None = None
    """File that holds the secret."""
    principal: Text
    """Who the key proves: `team:media`."""
    state: KeyState = KeyState.ACTIVE
    """`active` or `disabled`."""
    expires_at: AwareDatetime | None = None
    """Moment after which it is refused, with its zone: 2027-01-01T00:00:00Z; null: never."""
    networks: tuple[Network, ...] = ()
    """Networks it may be used from; empty: any."""
    labels: Mapping[str, str] = {}
    """Free labels, written to the audit log."""


class RegionSettings(Group):
    """Regions unknown to this release, so that rules on territories can place them."""

    mainland: tuple[RegionName, ...] = ()
    """Further regions in mainland China."""
    overseas: tuple[RegionName, ...] = ()
    """Further regions elsewhere (Hong Kong counts as elsewhere)."""


class LogSettings(Group):
    """The service log on standard error."""

    level: LogLevel = LogLevel.INFO
    """debug, info, warning or error."""
    format: LogFormat = LogFormat.JSON
    """`json`, one object a line, or `text` for people."""


class Settings(BaseSettings):
    """All settings, valid and immutable."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        validate_default=True,
        env_prefix="COSGW_",
        env_nested_delimiter="__",
    )

    environment: Environment = Environment.DEVELOPMENT
    """`development`, or `production`, where unsafe choices refuse to start."""
    workers: Processes = 1
    """Processes that serve the data port; about one for each core the gateway may use."""
    data: DataSettings = DataSettings()
    tls: TlsSettings = TlsSettings()
    admin: AdminSettings = AdminSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    store: StoreSettings = StoreSettings()
    master_key: MasterKeySettings = MasterKeySettings()
    audit: AuditSettings = AuditSettings()
    signature: SignatureSettings = SignatureSettings()
    policies: PolicySettings = PolicySettings()
    buckets: tuple[BucketSettings, ...] = ()
    """The bucket registry."""
    credentials: tuple[CredentialSettings, ...] = ()
    """COS credentials, beside those in the store."""
    tencent: TencentSettings = TencentSettings()
    assignments: tuple[AssignmentSettings, ...] = ()
    """Which credential opens which buckets; the first that fits counts, a bucket's own `credential` goes before."""
    cross_account: tuple[CrossAccountSettings, ...] = ()
    """What credentials may do in other accounts."""
    discovery: DiscoverySettings = DiscoverySettings()
    keys: tuple[KeySettings, ...] = ()
    """Static access keys, beside those in the store."""
    sts: StsSettings = StsSettings()
    identity_providers: tuple[IdentityProviderSettings, ...] = ()
    """Whose identity tokens are exchanged for sessions at the sts port."""
    regions: RegionSettings = RegionSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing but the arguments; `load_settings` lays the sources over one another itself, keeping positions."""
        return (init_settings,)


def load_settings(
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings from flags, environment, file and defaults, checked together; secret files are read.

    `overrides` are the flags by dotted key, e.g. `{"data.port": 0}`. `path` None: no file. `environment` None: the
    process's. Raises SettingsErrors with everything wrong.
    """
    variables = os.environ if environment is None else environment
    layer = Layer() if path is None else read_file_layer(path)
    layer = lay_over(layer, read_environment_layer(Settings, variables))
    layer = lay_over(layer, read_flag_layer(overrides or {}))
    try:
        settings = Settings(**layer.values)
    except ValidationError as invalid:
        problems = invalid.errors(include_url=False)
        errors = [translate(Settings, problem, layer.mark_of(problem["loc"])) for problem in problems]
        raise SettingsErrors([*layer.errors, *errors]) from None
    errors = [
        SettingsError(layer.mark_of(wrong.location), render_key(wrong.location), *wrong[1:])
        for wrong in contradictions(settings, layer)
    ]
    settings, unreadable = read_secret_files(settings, layer)
    if errors := [*layer.errors, *errors, *unreadable]:
        raise SettingsErrors(errors)
    return settings
