"""Accounts, keys and buckets of the tests. Made up; they belong to nobody.

Imported by client processes too, so nothing of the product is needed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

ACCOUNT = "1250000000"
OTHER_ACCOUNT = "1259999999"
GATEWAY_DOMAIN = "gateway.test"
"""The gateway's own domain: `<bucket>.gateway.test`, `gateway.test/<bucket>`."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a caller signs with."""

    secret_id: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


SERVER_KEY = Key("AKIDservertestserver000000000000001", "ServerHeldTestSecret000000000001")
"""The credential the embedded COS knows for ACCOUNT; in front of it, only the gateway holds it."""
OTHER_SERVER_KEY = Key("AKIDothertestother0000000000000001", "OtherAccountTestSecret0000000001")
CALLER_KEY = Key("GWcallertestcaller00000000000000001", "GatewayIssuedTestSecret000000001")
"""The key the gateway issued to the tests."""
OLD_KEY = Key("GWoldclienttest000000000000000001", "GatewayIssuedOldSecret0000000001")
"""Issued to a client that signs with Signature Version 2, which only some gateways of the tests accept."""
OTHER_CALLER_KEY = Key("GWothercallertest00000000000000001", "GatewayIssuedOtherSecret00000001")
"""A key the gateway issued to somebody whom no policy allows anything."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and the region it lives in."""

    name: str
    region: str

    @property
    def host(self) -> str:
        return f"{self.name}.cos.{self.region}.myqcloud.com"

    def source(self, key: str, version_id: str | None = None) -> str:
        """The copy source naming an object here, spelled as COS documents it."""
        suffix = f"?versionId={version_id}" if version_id is not None else ""
        return f"{self.host}/{quote(key, safe='/-_.~')}{suffix}"


EXAMPLE = Bucket(f"examplebucket-{ACCOUNT}", "ap-shanghai")
"""Destination of most copies; the bucket of the document's example."""
SOURCE = Bucket(f"sourcebucket-{ACCOUNT}", "ap-shanghai")
FARAWAY = Bucket(f"farawaybucket-{ACCOUNT}", "ap-guangzhou")
"""Another region."""
OVERSEAS = Bucket(f"overseasbucket-{ACCOUNT}", "ap-singapore")
VERSIONED = Bucket(f"versionedbucket-{ACCOUNT}", "ap-shanghai")
"""Versioning is enabled from the start."""
FOREIGN = Bucket(f"foreignbucket-{OTHER_ACCOUNT}", "ap-shanghai")
"""Another account's."""
ABSENT = Bucket(f"absentbucket-{ACCOUNT}", "ap-shanghai")
"""Exists nowhere."""

BUCKETS = (EXAMPLE, SOURCE, FARAWAY, OVERSEAS, VERSIONED, FOREIGN)

GIB = 1024**3
HUGE_KEY = "six-gibibytes"
HUGE_BYTES = 6 * GIB
"""An object in SOURCE that is larger than any part may be; its bytes are synthetic and take no room."""
