"""HashiCorp Vault's Transit engine as it answers, for tests on loopback."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support.small_server import Asked, Told

TOKEN = "hvs.canary-vault-token"


@dataclass(slots=True)
class VaultTransit:
    """One key, `cos-gateway`, at the mount `transit`. `sealed` answers 503 to everything."""

    sealed: bool = False
    namespace: str | None = None
    key: bytes = field(default_factory=lambda: AESGCM.generate_key(256), repr=False)

    def __call__(self, asked: Asked) -> Told:
        if self.sealed:
            return _errors(503, "Vault is sealed")
        if asked.headers.get("x-vault-token") != TOKEN or asked.headers.get("x-vault-namespace") != self.namespace:
            return _errors(403, "permission denied: " + asked.headers.get("x-vault-token", ""))
        value = json.loads(asked.body)
        match asked.method, asked.target:
            case "POST", "/v1/transit/encrypt/cos-gateway":
                nonce = os.urandom(12)
                sealed = nonce + AESGCM(self.key).encrypt(nonce, base64.b64decode(value["plaintext"]), None)
                return _data({"ciphertext": "vault:v1:" + base64.b64encode(sealed).decode()})
            case "POST", "/v1/transit/decrypt/cos-gateway":
                raw = base64.b64decode(value["ciphertext"].removeprefix("vault:v1:"))
                try:
                    plain = AESGCM(self.key).decrypt(raw[:12], raw[12:], None)
                except (InvalidTag, ValueError):
                    return _errors(400, "cipher: message authentication failed")
                return _data({"plaintext": base64.b64encode(plain).decode()})
        return _errors(404, "no handler for route")


def _data(data: dict[str, str]) -> Told:
    return Told(json.dumps({"request_id": "made-up", "lease_id": "", "renewable": False, "data": data}).encode())


def _errors(status: int, *texts: str) -> Told:
    return Told(json.dumps({"errors": list(texts)}).encode(), status)
