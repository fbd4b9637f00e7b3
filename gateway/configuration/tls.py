"""Settings of TLS at the data and sts ports, and of the certificates clients prove themselves with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from gateway.client_certificates import CertificateTerms
from gateway.configuration.contradictions import Contradiction
from gateway.configuration.group import Group
from gateway.configuration.types import Text, expected
from policies.patterns import Pattern

NAME_KINDS = ("cn", "dns", "email", "uri")
"""What a certificate may be recognised by: the subject's common name, and three kinds of alternative names."""


class TlsVersion(StrEnum):
    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class ClientCertificates(StrEnum):
    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


def _name_glob(value: str) -> str:
    kind, colon, glob = value.partition(":")
    if not colon or kind not in NAME_KINDS:
        raise expected(f"a kind of name ({', '.join(NAME_KINDS)}), a colon and a glob, such as dns:*.media.example.com")
    try:
        Pattern(glob)
    except ValueError as error:
        raise expected(str(error).removeprefix("expected ")) from None
    return value.lower() if kind == "dns" else value


NameGlob = Annotated[str, AfterValidator(_name_glob)]


class TlsSettings(Group):
    """TLS at the data port, and at the sts port if there is one. Without a certificate both speak plain HTTP."""

    certificate: Path | None = None
    """PEM file: the gateway's certificate, then those between it and its root."""
    key: Path | None = None
    """PEM file with its private key, without passphrase; mode 0600, or 0640."""
    min_version: TlsVersion = TlsVersion.TLS_1_2
    """1.2 or 1.3."""
    client_certificates: ClientCertificates = ClientCertificates.OFF
    """`off`: clients are not asked; `optional`: what they present must be good; `required`: none, no connection."""
    client_ca: Path | None = None
    """PEM file: the authorities that issue client certificates."""
    client_crl: Path | None = None
    """PEM file: their lists of revoked certificates; null: none is looked up."""
    client_principals: Mapping[NameGlob, Text] = {}
    """Globs of names in client certificates and the principals they stand for; the first that fits counts."""
    accept_unsigned: bool = False
    """A request without a signature is its certificate's principal's."""

    @property
    def scheme(self) -> str:
        """What the URLs of both ports begin with."""
        return "http" if self.certificate is None else "https"

    @property
    def terms(self) -> CertificateTerms:
        """What client certificates mean for callers."""
        return CertificateTerms(
            required=self.client_certificates is ClientCertificates.REQUIRED,
            principals=tuple((Pattern(glob), principal) for glob, principal in self.client_principals.items()),
            accept_unsigned=self.accept_unsigned,
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that is read."""
        return tuple(path for path in (self.certificate, self.key, self.client_ca, self.client_crl) if path is not None)


def tls_contradictions(tls: TlsSettings) -> Iterator[Contradiction]:
    """Settings of TLS that need or exclude one another."""
    here = ("tls",)
    if (tls.certificate is None) != (tls.key is None):
        missing, given = ("key", "certificate") if tls.key is None else ("certificate", "key")
        yield Contradiction((*here, missing), "null", f"a file, as tls.{given} names one")
    asked = tls.client_certificates is not ClientCertificates.OFF
    if asked and tls.certificate is None:
        yield Contradiction(
            (*here, "client_certificates"), repr(str(tls.client_certificates)), "off, or tls.certificate"
        )
    if asked and tls.client_ca is None:
        yield Contradiction((*here, "client_ca"), "null", "a file, as client certificates are asked for")
    for name, is_set in (
        ("client_ca", tls.client_ca is not None),
        ("client_crl", tls.client_crl is not None),
        ("client_principals", bool(tls.client_principals)),
    ):
        if is_set and not asked:
            yield Contradiction(
                (*here, name), "a value", "none, as client_certificates is off", "optional or required asks for them"
            )
    if tls.accept_unsigned and not tls.client_principals:
        yield Contradiction((*here, "accept_unsigned"), "true", "false, as client_principals names no principal")
