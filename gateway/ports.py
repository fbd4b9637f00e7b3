"""What the pipeline needs from the world, one small protocol each. Adapters implement them; fakes do in tests.

Nothing here touches the network on the request path except `Upstream` and `AuditLog`: keys, buckets,
credentials and policies are answered from memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Protocol

from msgspec import UNSET, Struct, UnsetType

from cos.headers import AnswerFields
from cos.rewrite import UpstreamRequest
from cos.values import Bucket, Region
from gateway.secret import Secret
from policies.decision import Decision
from policies.request import AccessRequest, Narrows

# --- failures an adapter may report; the pipeline translates each into one COS error -----------------------
#
#   PortError
#   ├── Sealed                  no master key: 503
#   ├── CredentialUnavailable   no server-held credential for the bucket: 503
#   │   └── NoCredentialForBoth none may read the source and write the destination of a copy: 403
#   ├── RegistryUnavailable     it is not known yet whether a bucket is ours: 503
#   ├── StoreUnavailable        keys and credentials cannot be read or written: 503
#   ├── AuditUnavailable        the intent could not be made durable: 503, nothing is sent
#   └── UpstreamError
#       ├── UpstreamUnreachable refused, DNS, TLS, no free connection: 503
#       ├── UpstreamTimeout     no answer in time: 504
#       └── UpstreamBroken      an answer that is not HTTP, or cut short: 502


class PortError(Exception):
    """A port could not do its work. Messages never hold a secret."""


class Sealed(PortError):
    """The vault has no master key."""


class CredentialUnavailable(PortError):
    """No server-held credential can serve the request."""


class NoCredentialForBoth(CredentialUnavailable):
    """A copy between two accounts for which no credential can do both halves; repeating it will not help."""


class RegistryUnavailable(PortError):
    """It is not known yet whether a bucket is one of ours."""


class StoreUnavailable(PortError):
    """The store of keys and credentials cannot be read or written, or was unreadable for too long."""


class AuditUnavailable(PortError):
    """The audit record could not be made durable."""


class UpstreamError(PortError):
    """The upstream did not give a usable answer. `sent` tells whether any byte of the request left."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class UpstreamUnreachable(UpstreamError):
    """No connection to the upstream."""


class UpstreamTimeout(UpstreamError):
    """A deadline passed."""


class UpstreamBroken(UpstreamError):
    """What came back is not a well-formed response."""


# --- callers -----------------------------------------------------------------------------------------------


class KeyState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """What a session adds to the key it was issued for.

    `parent` is that key's id, or names the identity provider. `narrowing` is the session's own policy.
    """

    parent: str
    expires_at: datetime
    narrowing: Narrows | None = None


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A gateway-issued key as the pipeline sees it. Of a session everything but id and secret is its parent's."""

    id: str
    secret: Secret
    principal: str
    state: KeyState = KeyState.ACTIVE
    expires_at: datetime | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    session: SessionTerms | None = None
    sorted_labels: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    """The labels, sorted once for all requests of the key."""
    unconditional: bool = field(init=False, repr=False, compare=False)
    """Whether it is good for every request: active, of no session, at any time and from any network."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sorted_labels", tuple(sorted(self.labels.items())))
        limited = self.session is not None or self.expires_at is not None or bool(self.networks)
        object.__setattr__(self, "unconditional", self.state is KeyState.ACTIVE and not limited)


class AccessKeys(Protocol):
    """The keys this gateway issued."""

    def find(self, access_key_id: str) -> AccessKey | None:
        """The key of that id, whatever its state; None when there is none. Raises Sealed, StoreUnavailable."""
        ...


class Sessions(Protocol):
    """The temporary keys this gateway issued. Nobody holds a list of them: each is in its token."""

    def find(self, access_key_id: str, token: str | None) -> AccessKey | None:
        """The session of that id that the token opens, whatever its state; None when it opens none.

        Raises Sealed, StoreUnavailable.
        """
        ...


class KeyUses(Protocol):
    """Remembers when keys were used."""

    def note(self, access_key_id: str, *, now: float) -> None:
        """A key proved a request at `now` (Unix seconds). Takes no time worth mentioning."""
        ...


# --- buckets and the credentials that open them ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BucketRecord:
    """A bucket the organisation owns. What is not registered does not exist for the gateway."""

    name: Bucket
    region: Region
    account: str
    credential: str | None = None
    """Name of the credential to use; None: the account's."""


class Buckets(Protocol):
    """The bucket registry."""

    @property
    def generation(self) -> object:
        """Another object as soon as `find` may give another record of a bucket than it gave before."""
        ...

    def find(self, bucket: Bucket) -> BucketRecord | None:
        """The bucket of that name; None when the organisation does not own it. Raises RegistryUnavailable."""
        ...


class UpstreamCredential(Struct, frozen=True, gc=False):
    """A COS credential, opened. It exists only between steps 11 and 13 of a request."""

    name: str
    account: str
    secret_id: str
    secret_key: Secret
    token: Secret | None = None


class UpstreamCredentials(Protocol):
    """The server-held COS credentials. Calling this is the first moment a COS secret is touched."""

    def open_for(self, bucket: BucketRecord | None, source: BucketRecord | None = None) -> UpstreamCredential:
        """The credential for a bucket, or for the service (list buckets) when None.

        With a `source` it is the one for a copy: it can read that bucket as well.

        Raises Sealed, CredentialUnavailable, StoreUnavailable.
        """
        ...


# --- policy ------------------------------------------------------------------------------------------------


class Policies(Protocol):
    """The active policy set; a request is judged by exactly one version."""

    def decide(self, request: AccessRequest) -> Decision: ...


# --- audit -------------------------------------------------------------------------------------------------


class AuditLog(Protocol):
    """Append-only record of what was asked, decided and done. An event has a `type` and more fields.

    `described` are fields that follow them and are rendered already, as they end a line: `,"name":value}` and a line
    feed. They are what the events of one request have in common.
    """

    def record(self, event: Mapping[str, Any], described: bytes | None = None) -> Awaitable[None]:
        """Append one event; it is durable when this was awaited. Raises AuditUnavailable."""
        ...

    def note(self, event: Mapping[str, Any]) -> None:
        """Append one event soon, without waiting."""
        ...


class Outcome(Struct, gc=False):
    """What became of a request: an event. What is UNSET is not said."""

    time: datetime
    result: str
    status: int | None
    code: str | None
    upstream_status: int | None
    upstream_request_id: str | None
    bytes_in: int
    bytes_out: int
    seconds: float
    repeated: bool | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    trace: list[dict[str, Any]] | UnsetType = UNSET
    rehearsed: str | UnsetType = UNSET
    shadow: list[dict[str, Any]] | UnsetType = UNSET
    errors: list[dict[str, Any]] | UnsetType = UNSET
    type: str = "outcome"


class RequestAuditLog(AuditLog, Protocol):
    """The audit log of the data port, where every request has an outcome."""

    def conclude(self, outcome: Outcome, described: bytes) -> None:
        """Append an outcome soon, without waiting."""
        ...


# --- upstream ----------------------------------------------------------------------------------------------


class UpstreamResponse(Protocol):
    """An answer whose head has arrived. `aclose` must be called; closing early drops the connection."""

    status: int
    headers: AnswerFields
    """Names lower-case, as received otherwise; framing headers included."""
    whole_body: bytes | None
    """The body when all of it came together with the head; None: read it from `stream`."""

    def stream(self) -> AsyncIterator[bytes]:
        """The body without transfer coding, never decompressed. Raises UpstreamTimeout, UpstreamBroken."""
        ...

    async def aclose(self) -> None: ...


class Upstream(Protocol):
    """COS, or what stands for it."""

    async def send(
        self,
        request: UpstreamRequest,
        body: AsyncIterator[bytes] | bytes,
        *,
        response_timeout_seconds: float | None = None,
    ) -> UpstreamResponse:
        """Send one signed request and return when the response head is here.

        The request's headers hold its framing: `content-length`, or `transfer-encoding: chunked` when the
        length is unknown. `response_timeout_seconds` bounds the wait for the head after the body was sent;
        None uses the transport's own. Raises UpstreamError.
        """
        ...

    async def aclose(self) -> None: ...
