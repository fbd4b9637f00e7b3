"""An OIDC issuer for tests: real keys, a key set on a real port, tokens as wrong as a test wants them.

It shares no code with the product: it writes JOSE by hand from RFC 7515 and RFC 7518.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://issuer.example.com"
AUDIENCE = "cos-gateway"
SUBJECT = "repo:example/media:ref:refs/heads/main"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value: int, length: int | None = None) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8))


def new_key(algorithm: str) -> PrivateKey:
    match algorithm:
        case "RS256":
            return rsa.generate_private_key(65537, 2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(algorithm)


def as_jwk(key: PrivateKey, **more: Any) -> dict[str, Any]:
    match key:
        case rsa.RSAPrivateKey():
            numbers = key.public_key().public_numbers()
            return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **more}
        case ec.EllipticCurvePrivateKey():
            point = key.public_key().public_numbers()
            return {"kty": "EC", "crv": "P-256", "x": number(point.x, 32), "y": number(point.y, 32), **more}
        case ed25519.Ed25519PrivateKey():
            raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw), **more}


def signature_of(key: PrivateKey | bytes, signed: bytes) -> bytes:
    match key:
        case bytes():
            return hmac.digest(key, signed, hashlib.sha256)
        case rsa.RSAPrivateKey():
            return key.sign(signed, padding.PKCS1v15(), SHA256())
        case ec.EllipticCurvePrivateKey():
            r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        case ed25519.Ed25519PrivateKey():
            return key.sign(signed)


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says; a change to None leaves the claim out."""
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "iat": now, "exp": now + 300, **changes}
    return {name: value for name, value in said.items() if value is not None}


def render_token(key: PrivateKey | bytes, said: Any, header: dict[str, Any]) -> str:
    text = json.dumps(said) if not isinstance(said, str) else said
    signed = f"{b64(json.dumps(header).encode())}.{b64(text.encode())}"
    return f"{signed}.{b64(signature_of(key, signed.encode()))}"


@dataclass
class IdentityProvider:
    """`key_set` is what the port answers with; a test may replace it. `asked` counts."""

    keys: dict[str, PrivateKey] = field(default_factory=dict)
    key_set: bytes = b""
    status: int = 200
    port: int = 0
    asked: int = 0

    @property
    def jwks_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/keys?of=tests"

    def publish(self) -> None:
        items = [as_jwk(key, kid=kid, use="sig") for kid, key in self.keys.items()]
        self.key_set = json.dumps({"keys": items}).encode()

    def add(self, algorithm: str, kid: str) -> None:
        self.keys[kid] = new_key(algorithm)
        self.publish()

    def token(self, algorithm: str = "ES256", kid: str | None = None, **changes: Any) -> str:
        """A good token, but for the claims that are changed."""
        kid = kid or algorithm
        return render_token(self.keys[kid], claims(**changes), {"alg": algorithm, "kid": kid, "typ": "JWT"})


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """A running issuer with one key for each algorithm, its id the algorithm's name."""
    provider = IdentityProvider()
    for algorithm in ("RS256", "ES256", "EdDSA"):
        provider.add(algorithm, algorithm)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked += 1
            self.send_response(provider.status)
            self.send_header("Content-Length", str(len(provider.key_set)))
            self.end_headers()
            self.wfile.write(provider.key_set)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
