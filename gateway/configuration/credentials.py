"""Settings of COS credentials: what they are, where they come from, and what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.configuration.group import Group
from gateway.configuration.types import Account, Endpoint, RegionName, SecretText, Text, WholeSeconds, expected
from policies.patterns import Pattern

StsSeconds = Annotated[int, Field(ge=900, le=43_200)]


def _bucket_pattern(value: str) -> str:
    try:
        return Pattern(value).text
    except ValueError:
        raise expected("a bucket name in which * stands for any characters, such as logs-*") from None


def _session_name(value: str) -> str:
    if not 2 <= len(value) <= 128 or not value.isascii() or not all(c.isalnum() or c in "_=,.@-" for c in value):
        raise expected("2 to 128 letters, digits and _=,.@-")
    return value


def _variable_prefix(value: str) -> str:
    if not value.isascii() or not value.isidentifier() or value.upper() != value or value.startswith("COSGW"):
        raise expected("the first part of variable names in capitals, such as TENCENTCLOUD")
    return value


def _role_name(value: str) -> str:
    if not 0 < len(value) <= 128 or not value.isascii() or not all(c.isalnum() or c in "_+=,.@-" for c in value):
        raise expected("a role name: letters, digits and _+=,.@-")
    return value


BucketPattern = Annotated[Text, AfterValidator(_bucket_pattern)]
SessionName = Annotated[str, AfterValidator(_session_name)]
VariablePrefix = Annotated[str, AfterValidator(_variable_prefix)]
RoleName = Annotated[str, AfterValidator(_role_name)]


class AssumeRoleSettings(Group):
    """A role assumed through STS, of this or another account."""

    credential: Text
    """Name of the credential that may assume it."""
    role_arn: Text
    """`qcs::cam::uin/<uin>:roleName/<name>`."""
    session_name: SessionName = "cos-gateway"
    """How the role's use appears in CloudAudit."""
    duration_seconds: StsSeconds = 7200
    """How long each credential is valid."""
    external_id: Text | None = None
    """The identifier the role's owner demands."""


class FederationTokenSettings(Group):
    """A narrower temporary credential from a permanent one, through STS."""

    credential: Text
    """Name of the credential to narrow."""
    policy: Text
    """CAM policy document in JSON, on one line: what of that credential remains."""
    session_name: SessionName = "cos-gateway"
    """How its use appears in CloudAudit."""
    duration_seconds: StsSeconds = 7200
    """How long each credential is valid."""


class MetadataSettings(Group):
    """The role of the CVM instance or TKE node the gateway runs on."""

    role: RoleName | None = None
    """Its name; null: the only one there is."""


class CredentialSettings(Group):
    """A COS credential the gateway signs with. It has one source: a pair, variables, STS or the machine's role."""

    name: Text
    """How buckets refer to it."""
    account: Account
    """The APPID it belongs to."""
    secret_id: Text | None = None
    """COS SecretId of a pair."""
    secret_key: SecretText | None = None
    """COS SecretKey, inline."""
    secret_key_file: Path | None = None
    """File that holds the SecretKey."""
    token: SecretText | None = None
    """Session token of a temporary credential."""
    environment: VariablePrefix | None = None
    """Prefix of the variables `…_SECRET_ID`, `…_SECRET_KEY` and `…_SESSION_TOKEN`."""
    assume_role: AssumeRoleSettings | None = None
    """A role assumed through STS."""
    federation_token: FederationTokenSettings | None = None
    """A narrower credential from STS."""
    metadata: MetadataSettings | None = None
    """The role of the machine."""


class TencentSettings(Group):
    """Tencent Cloud's services that give temporary credentials."""

    sts_endpoint: Endpoint = "https://sts.tencentcloudapi.com"
    """The Security Token Service: https, a host like sts.tencentcloudapi.com; loopback in development."""
    sts_region: RegionName = "ap-guangzhou"
    """Region sent to STS."""
    metadata_endpoint: Endpoint = "http://metadata.tencentyun.com"
    """The metadata service of instances; loopback in development."""


class AssignmentSettings(Group):
    """Which credential opens which buckets, where the account alone does not tell."""

    credential: Text
    """Name of the credential."""
    buckets: tuple[BucketPattern, ...] = ("*",)
    """Bucket names; * stands for any characters."""
    regions: tuple[RegionName, ...] = ()
    """Regions; empty: any."""


class CrossAccountSettings(Group):
    """What a credential may do beyond its own account, by the bucket policies or roles of the others."""

    credential: Text
    """Name of the credential."""
    reads: tuple[Account, ...] = ()
    """Accounts whose buckets it may read."""
    writes: tuple[Account, ...] = ()
    """Accounts whose buckets it may write."""


class DiscoverySettings(Group):
    """Buckets found by listing accounts, beside the declared ones."""

    credentials: tuple[Text, ...] = ()
    """Credentials whose accounts are listed; empty: only declared buckets exist."""
    interval_seconds: WholeSeconds = 300
    """How often they are listed."""


class TransitSettings(Group):
    """A master key that HashiCorp Vault's Transit engine has wrapped; it is unwrapped at the start."""

    address: Endpoint
    """`https://host[:port]` of Vault; plain http on loopback only."""
    key: RoleName
    """Name of the Transit key."""
    mount: RoleName = "transit"
    """Where the engine is mounted."""
    namespace: Text | None = None
    """Vault namespace."""
    wrapped_file: Path
    """File with the wrapped master keys, `vault:v1:…`, one a line, the current one first."""
    token_file: Path
    """File with a Vault token that may decrypt with the key, mode 0600."""
    ca_file: Path | None = None
    """Certificate authorities in PEM; null: the system's."""
