"""HashiCorp Vault's Transit engine as a key service.

    POST /v1/<mount>/encrypt/<key>  {"plaintext": base64}   → {"data": {"ciphertext": "vault:v1:…"}}
    POST /v1/<mount>/decrypt/<key>  {"ciphertext": "vault:v1:…"} → {"data": {"plaintext": base64}}

The token's policy needs `update` on the decrypt path, and on the encrypt path to make a key. Vault's own error texts
are not repeated.

Source: HashiCorp Vault HTTP API, "Transit secrets engine".
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from gateway.credentials.master_key import MasterKeyError
from gateway.inquiry import ask, question
from gateway.ports import Upstream, UpstreamError
from gateway.secret import Secret

_WRAPPED = re.compile(r"vault:v[1-9][0-9]{0,8}:[A-Za-z0-9+/=]{1,4096}", re.ASCII)
_WHY = {
    400: "it does not know the key, or the wrapped text is not its own",
    403: "the token may not do this, or has expired",
    404: "there is no such mount or key",
    429: "it is a standby",
    473: "it is a standby",
    503: "it is sealed",
}


@dataclass(frozen=True, slots=True)
class Transit:
    """Implements KeyService. `address` is `http(s)://host[:port]`, which `upstream` connects to."""

    upstream: Upstream
    address: str
    mount: str
    key: str
    token: Secret
    namespace: str | None = None

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"Vault Transit key {self.key!r}"

    async def wrap(self, plain: bytes) -> str:
        """Raises MasterKeyError."""
        wrapped = await self._ask("encrypt", "plaintext", base64.b64encode(plain).decode("ascii"), "ciphertext")
        if _WRAPPED.fullmatch(wrapped) is None:
            raise MasterKeyError(f"{self.name} answered with something that is not a wrapped key.")
        return wrapped

    async def unwrap(self, wrapped: str) -> bytes:
        """Raises MasterKeyError."""
        if _WRAPPED.fullmatch(wrapped) is None:
            raise MasterKeyError("Expected a wrapped key like 'vault:v1:…'.")
        plain = await self._ask("decrypt", "ciphertext", wrapped, "plaintext")
        try:
            return base64.b64decode(plain, validate=True)
        except binascii.Error:
            raise MasterKeyError(f"{self.name} answered with something that is not base64.") from None

    async def _ask(self, action: str, given: str, value: str, wanted: str) -> str:
        payload = msgspec.json.encode({given: value})
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(payload))),
            ("x-vault-request", "true"),
            ("x-vault-token", self.token.reveal()),
        ]
        if self.namespace is not None:
            headers.append(("x-vault-namespace", self.namespace))
        path = f"/v1/{self.mount}/{action}/{self.key}"
        try:
            answer = await ask(
                self.upstream, question("POST", urlsplit(self.address).netloc, path, headers=headers), payload
            )
        except UpstreamError as error:
            raise MasterKeyError(f"{self.name} was not reached: {error}") from error
        if answer.status != 200:
            why = _WHY.get(answer.status, "see its log")
            raise MasterKeyError(f"{self.name} refused to {action}: {answer.status}, {why}.")
        try:
            return msgspec.json.decode(answer.body, type=_Answer).data[wanted]
        except (msgspec.MsgspecError, KeyError):
            raise MasterKeyError(f"{self.name} answered without a {wanted}.") from None


class _Answer(msgspec.Struct):
    data: dict[str, str]
