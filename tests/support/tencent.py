"""Tencent Cloud's token service and instance metadata, as they answer: for tests, on loopback.

The token service verifies TC3-HMAC-SHA256 signatures step by step from its documentation, with nothing of the product.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote

from tests.support.names import Key
from tests.support.small_server import Asked, Told

MAX_SKEW_SECONDS = 300
_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<date>[0-9-]+)/sts/tc3_request, "
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(slots=True)
class TokenService:
    """Answers AssumeRole and GetFederationToken for the keys it knows.

    `clock` is its own; `refusal` is an error code it answers with instead; `given` are the credentials so far.
    """

    keys: dict[str, Key]
    clock: Callable[[], float] = time.time
    lifetime_seconds: int | None = None
    refusal: str | None = None
    given: list[Key] = field(default_factory=list)
    calls: list[dict[str, object]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Told:
        now = self.clock()
        try:
            response = self._respond(asked, now)
        except PermissionError as error:
            response = {"Error": {"Code": str(error), "Message": f"secret detail {asked.body!r}"}}
        body = json.dumps({"Response": {**response, "RequestId": "made-up"}}).encode()
        return Told(body, date=now, headers={"content-type": "application/json"})

    def _respond(self, asked: Asked, now: float) -> dict[str, object]:
        self._verify(asked, now)
        if self.refusal is not None:
            raise PermissionError(self.refusal)
        parameters = json.loads(asked.body)
        action = asked.headers["x-tc-action"]
        wanted = {"AssumeRole": {"RoleArn", "RoleSessionName"}, "GetFederationToken": {"Name", "Policy"}}[action]
        if not wanted <= parameters.keys() or asked.headers["x-tc-version"] != "2018-08-13":
            raise PermissionError("InvalidParameter")
        if action == "GetFederationToken":
            json.loads(unquote(parameters["Policy"]))
        self.calls.append({"action": action, **parameters})
        number = len(self.given) + 1
        key = Key(f"AKIDtemporary{number:04}", f"TemporarySecret{number:04}", f"token-canary-{number:04}")
        self.given.append(key)
        lifetime = self.lifetime_seconds if self.lifetime_seconds is not None else int(parameters["DurationSeconds"])
        return {
            "Credentials": {"TmpSecretId": key.secret_id, "TmpSecretKey": key.secret_key, "Token": key.token},
            "ExpiredTime": int(now) + lifetime,
        }

    def _verify(self, asked: Asked, now: float) -> None:
        match = _AUTHORIZATION.fullmatch(asked.headers.get("authorization", ""))
        if match is None or asked.method != "POST" or asked.target != "/":
            raise PermissionError("AuthFailure.InvalidAuthorization")
        key = self.keys.get(match["id"])
        if key is None:
            raise PermissionError("AuthFailure.SecretIdNotFound")
        if asked.headers.get("x-tc-token") != key.token:
            raise PermissionError("AuthFailure.TokenFailure")
        timestamp = int(asked.headers["x-tc-timestamp"])
        if abs(timestamp - now) > MAX_SKEW_SECONDS:
            raise PermissionError("AuthFailure.SignatureExpire")
        signed = match["signed"].split(";")
        if not {"content-type", "host"} <= set(signed) or signed != sorted(signed):
            raise PermissionError("AuthFailure.InvalidAuthorization")
        headers = "".join(f"{name}:{asked.headers[name].strip().lower()}\n" for name in signed)
        digest = hashlib.sha256(asked.body).hexdigest()
        canonical = "\n".join(["POST", "/", "", headers, match["signed"], digest])
        date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
        text = "\n".join(
            [
                "TC3-HMAC-SHA256",
                str(timestamp),
                f"{date}/sts/tc3_request",
                hashlib.sha256(canonical.encode()).hexdigest(),
            ]
        )
        secret_date = hmac.new(b"TC3" + key.secret_key.encode(), date.encode(), hashlib.sha256).digest()
        secret_service = hmac.new(secret_date, b"sts", hashlib.sha256).digest()
        secret_signing = hmac.new(secret_service, b"tc3_request", hashlib.sha256).digest()
        expected = hmac.new(secret_signing, text.encode(), hashlib.sha256).hexdigest()
        if date != match["date"] or not hmac.compare_digest(expected, match["signature"]):
            raise PermissionError("AuthFailure.SignatureFailure")


@dataclass(slots=True)
class InstanceMetadata:
    """Answers for the roles of an instance; a credential is new each time. `expires_in` may be negative."""

    roles: tuple[str, ...] = ("cos-role",)
    expires_in: int = 7200
    clock: Callable[[], float] = time.time
    code: str = "Success"
    given: list[Key] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Told:
        prefix = "/latest/meta-data/cam/security-credentials/"
        now = self.clock()
        if asked.method != "GET" or not asked.target.startswith(prefix):
            return Told(b"", 404, date=now)
        role = asked.target.removeprefix(prefix)
        if not role:
            return Told("\n".join(self.roles).encode(), date=now)
        if role not in self.roles:
            return Told(b"<html>404</html>", 404, date=now)
        number = len(self.given) + 1
        key = Key(f"AKIDinstance{number:04}", f"InstanceSecret{number:04}", f"token-canary-m{number:04}")
        self.given.append(key)
        expires = int(now) + self.expires_in
        document = {
            "TmpSecretId": key.secret_id,
            "TmpSecretKey": key.secret_key,
            "ExpiredTime": expires,
            "Expiration": datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Token": key.token,
            "Code": self.code,
        }
        return Told(json.dumps(document).encode(), date=now)
