"""Certificates that clients prove themselves with, and the principals they stand for.

The handshake has proved that the certificate is good and that the client has its key; here it is read, once per
connection, and compared. A principal comes from the operator's own table, never from a certificate's text by
itself. Decision: docs/adr/0018-certificates-bind-keys.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from cos.errors import COSError
from policies.patterns import Pattern

if TYPE_CHECKING:
    # Imported with the first certificate: most gateways never see one, and have no memory for it to spare.
    from cryptography import x509

MAX_SHOWN_CHARACTERS = 256
"""How much of a subject is kept, for logs."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What is used of a certificate.

    `subject` is its RFC 4514 text, `serial` and `fingerprint` (SHA-256 of the whole) lower-case hexadecimal. `names`
    are what it may be recognised by, as `dns:…`, `uri:…`, `email:…` and `cn:…`. Both ends of its life are in Unix
    seconds, inclusive.
    """

    subject: str
    serial: str
    fingerprint: str
    names: tuple[str, ...]
    not_before: float
    not_after: float

    @property
    def label(self) -> str:
        """One text for people."""
        return f"{self.subject} (serial {self.serial})"

    def described(self) -> dict[str, str]:
        """For the audit log."""
        return {"subject": self.subject, "serial": self.serial, "fingerprint": self.fingerprint}


def read_client_certificate(der: bytes) -> ClientCertificate:
    """The certificate a handshake accepted. Raises ValueError for one that cannot be read."""
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    return ClientCertificate(
        subject=_visible(certificate.subject.rfc4514_string())[:MAX_SHOWN_CHARACTERS],
        serial=f"{certificate.serial_number:x}",
        fingerprint=sha256(der).hexdigest(),
        names=tuple(name for name in _names(certificate) if name.isprintable()),
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
    )


def _names(certificate: x509.Certificate) -> Iterator[str]:
    from cryptography import x509

    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    except x509.DuplicateExtension as error:
        raise ValueError("repeated extension") from error
    else:
        for name in alternatives:
            match name:
                case x509.UniformResourceIdentifier():
                    yield f"uri:{name.value}"
                case x509.DNSName():
                    yield f"dns:{name.value.lower()}"
                case x509.RFC822Name():
                    yield f"email:{name.value}"
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    # Two common names are two meanings, and readers disagree about which one counts.
    if len(common) == 1 and isinstance(common[0].value, str):
        yield f"cn:{common[0].value}"


def _visible(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


@dataclass(frozen=True, slots=True)
class CertificateTerms:
    """What certificates mean for callers: the mapping in its order, and the two settings beside it.

    With an empty mapping certificates open connections and say nothing about principals.
    """

    required: bool = False
    principals: Sequence[tuple[Pattern, str]] = ()
    accept_unsigned: bool = False

    def principal_of(self, certificate: ClientCertificate) -> str | None:
        """Whom a certificate stands for; None: nobody."""
        for pattern, principal in self.principals:
            if any(pattern.matches(name) for name in certificate.names):
                return principal
        return None

    def check_bound(self, principal: str, certificate: ClientCertificate | None, *, now: float) -> None:
        """Refuse a key of `principal` on a connection of somebody else's. `now` is in Unix seconds.

        Where certificates are optional, one that stands for nobody counts as none. Raises COSError(AccessDenied).
        """
        if certificate is not None:
            check_current(certificate, now=now)
        if not self.principals:
            if self.required and certificate is None:
                raise COSError("AccessDenied", "Expected a client certificate.")
            return
        bound = self.principal_of(certificate) if certificate is not None else None
        if bound == principal or (bound is None and not self.required):
            return
        raise COSError("AccessDenied", "The access key may not be used with this connection's client certificate.")


def check_current(certificate: ClientCertificate, *, now: float) -> None:
    """Refuse a certificate whose time is over: a connection may outlive it. Raises COSError(AccessDenied)."""
    if not certificate.not_before <= now <= certificate.not_after:
        raise COSError("AccessDenied", "The connection's client certificate has expired.")


NO_CERTIFICATES = CertificateTerms()
"""Where clients are not asked for any."""
