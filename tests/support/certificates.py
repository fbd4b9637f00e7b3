"""Certificates for tests: an authority, what it issues, and what it revokes."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
LOCAL = (x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost"))


def _named(common_names: Sequence[str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:x}"

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        protection = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)

    def write(self, certificate: Path, key: Path) -> None:
        """Into two files, each replaced in one moment."""
        for path, content in ((certificate, self.pem), (key, self.key_pem())):
            fresh = path.with_name(f"{path.name}.new")
            fresh.touch(mode=0o600)
            fresh.write_bytes(content)
            fresh.replace(path)


class Authority:
    """Issues certificates of either kind."""

    def __init__(self, name: str = "Test Authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named([name])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 400 * DAY)
            .not_valid_after(now + 400 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        *names: x509.GeneralName,
        common_names: Sequence[str] = ("test",),
        client: bool = False,
        starts: timedelta = -DAY,
        ends: timedelta = 30 * DAY,
    ) -> Issued:
        """A certificate for a server, or for a client; its life is given from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(common_names))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts)
            .not_valid_after(now + ends)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return Issued(builder.sign(self._key, hashes.SHA256()), key)

    def server(self, *, starts: timedelta = -DAY, ends: timedelta = 30 * DAY) -> Issued:
        """A certificate for a server on this machine."""
        return self.issue(*LOCAL, common_names=("localhost",), starts=starts, ends=ends)

    def revocations(self, *revoked: Issued, ends: timedelta = DAY) -> bytes:
        """The list of revoked certificates in PEM."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(now - 2 * DAY)
            .next_update(now + ends)
        )
        for item in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(item.certificate.serial_number)
                .revocation_date(now - DAY)
                .build()
            )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def client_context(authority: Authority, presented: Issued | None = None, folder: Path | None = None) -> ssl.SSLContext:
    """A client that believes the authority, and presents a certificate; its files go into `folder`."""
    context = ssl.create_default_context(cadata=authority.pem.decode("ascii"))
    if presented is not None:
        assert folder is not None
        certificate, key = folder / f"{presented.serial}.pem", folder / f"{presented.serial}.key"
        presented.write(certificate, key)
        context.load_cert_chain(certificate, key)
    return context
