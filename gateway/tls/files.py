"""The files of TLS, read whole and checked together: what comes out of `load` can be served with.

Messages name files and never show what a key file holds.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.configuration.tls import ClientCertificates, TlsSettings, TlsVersion

if TYPE_CHECKING:
    # Imported when there are certificates: a gateway without them has no memory for it to spare.
    from cryptography import x509

MAX_FILE_BYTES = 4 * 1024 * 1024

_OTHERS = 0o007
_GROUP_WRITE = 0o020
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.*?-----END \1-----", re.DOTALL)
_VERIFY = {
    ClientCertificates.OFF: ssl.CERT_NONE,
    ClientCertificates.OPTIONAL: ssl.CERT_OPTIONAL,
    ClientCertificates.REQUIRED: ssl.CERT_REQUIRED,
}
_MINIMUM = {TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3}

Fingerprint = tuple[tuple[int, ...], ...]


class TlsFileError(Exception):
    """A file cannot be used. The message names its setting, and the file."""


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """A context to serve with, and what operators are told of it.

    `content` tells whether two are the same, `trust` whether they believe the same client certificates.
    `revocations_until` is when the first list of revoked certificates is out of date, and every client certificate
    with it.
    """

    context: ssl.SSLContext
    subject: str
    serial: str
    not_before: datetime
    not_after: datetime
    revocations_until: datetime | None
    content: bytes
    trust: bytes

    @property
    def period(self) -> str:
        """For people."""
        text = f"from {self.not_before.isoformat()} to {self.not_after.isoformat()}"
        if self.revocations_until is not None:
            text += f", lists of revoked certificates to {self.revocations_until.isoformat()}"
        return text

    def is_current(self, moment: datetime) -> bool:
        """Whether clients can believe it, and be believed, at that moment."""
        fresh = self.revocations_until is None or moment <= self.revocations_until
        return fresh and self.not_before <= moment <= self.not_after


def load(settings: TlsSettings) -> TlsMaterial:
    """Read and check every file. Blocks. `certificate` and `key` must be set. Raises TlsFileError."""
    if settings.certificate is None or settings.key is None:
        raise ValueError("expected a certificate and its key")
    chain = _read("certificate", settings.certificate)
    leaf = _read_certificates("certificate", settings.certificate, chain)[0]
    key = _read("key", settings.key, private=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _MINIMUM[settings.min_version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    _load_pair(context, settings.certificate, settings.key)
    trust, revocations_until = b"", None
    if settings.client_certificates is not ClientCertificates.OFF:
        trust, revocations_until = _ask_clients(context, settings)
    try:
        return TlsMaterial(
            context=context,
            subject=leaf.subject.rfc4514_string() or "no subject",
            serial=f"{leaf.serial_number:x}",
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
            revocations_until=revocations_until,
            content=sha256(sha256(chain).digest() + sha256(key).digest() + trust).digest(),
            trust=trust,
        )
    except ValueError:
        # Parsed only when it is asked for.
        raise TlsFileError(f"tls.certificate: expected a well-formed certificate at {settings.certificate}.") from None


def fingerprint(settings: TlsSettings) -> Fingerprint:
    """What the system says of every file, so that a change shows: also one of mode or owner. Blocks."""
    states: list[tuple[int, ...]] = []
    for path in settings.files:
        try:
            found = path.stat()
        except OSError:
            states.append((0,))
        else:
            states.append((found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return tuple(states)


def _ask_clients(context: ssl.SSLContext, settings: TlsSettings) -> tuple[bytes, datetime | None]:
    """Make the context ask for certificates; the digest of whom it believes, and until when it may."""
    if settings.client_ca is None:
        raise ValueError("expected the authorities of client certificates")
    authorities = _read("client_ca", settings.client_ca)
    _read_certificates("client_ca", settings.client_ca, authorities)
    context.verify_mode = _VERIFY[settings.client_certificates]
    # A resumed connection proves its certificate no more. TLS 1.2 may still resume from the context's memory, which
    # ends when other files are read.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    except (OSError, ValueError):
        raise TlsFileError(f"tls.client_ca: expected certificates in PEM at {settings.client_ca}.") from None
    if settings.client_crl is None:
        return sha256(authorities).digest(), None
    lists = _read("client_crl", settings.client_crl)
    until = _read_revocations(settings.client_crl, lists)
    try:
        context.load_verify_locations(cafile=settings.client_crl)
    except OSError:
        raise TlsFileError(f"tls.client_crl: expected X509 CRL blocks in PEM at {settings.client_crl}.") from None
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return sha256(sha256(authorities).digest() + sha256(lists).digest()).digest(), until


def _load_pair(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    def passphrase() -> str:
        # Without this, OpenSSL would ask for it on the terminal.
        raise TlsFileError(f"tls.key: expected a key without a passphrase at {key}.")

    try:
        context.load_cert_chain(certificate, key, password=passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsFileError(
                f"tls.key: expected the key of the certificate at {certificate}, got another one at {key}."
            ) from None
        reason = f" ({error.reason})" if error.reason else ""
        raise TlsFileError(f"tls.key: expected a private key in PEM at {key} that TLS can use{reason}.") from None
    except OSError as error:
        raise TlsFileError(f"tls.key: expected a readable file at {key}, got: {error.strerror}.") from None


def _read_certificates(setting: str, path: Path, raw: bytes) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(raw)
    except ValueError:
        raise TlsFileError(f"tls.{setting}: expected certificates in PEM at {path}.") from None


def _read_revocations(path: Path, raw: bytes) -> datetime | None:
    """When the first of the lists is out of date. A certificate among them would be taken for an authority: refused."""
    from cryptography import x509

    blocks = list(_BLOCK.finditer(raw))
    if not blocks or any(block[1] != b"X509 CRL" for block in blocks):
        raise TlsFileError(f"tls.client_crl: expected X509 CRL blocks in PEM, and no others, at {path}.")
    try:
        updates = [x509.load_pem_x509_crl(block[0]).next_update_utc for block in blocks]
    except ValueError:
        raise TlsFileError(f"tls.client_crl: expected well-formed lists at {path}.") from None
    return min((update for update in updates if update is not None), default=None)


def _read(setting: str, path: Path, *, private: bool = False) -> bytes:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if private:
                _refuse_unsafe(path, found)
            if not stat.S_ISREG(found.st_mode):
                raise TlsFileError(f"tls.{setting}: expected a regular file at {path}.")
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TlsFileError(f"tls.{setting}: expected a readable file at {path}, got: {error.strerror}.") from None
    if len(raw) > MAX_FILE_BYTES:
        raise TlsFileError(f"tls.{setting}: expected at most {MAX_FILE_BYTES} bytes at {path}.")
    return raw


def _refuse_unsafe(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in {os.geteuid(), 0}:
        raise TlsFileError(
            f"tls.key: expected {path} to belong to user {os.geteuid()} or root, got user {found.st_uid}."
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & (_OTHERS | _GROUP_WRITE):
        raise TlsFileError(f"tls.key: expected mode 0600 or 0640 of {path}, got {mode:04o}: others can use it.")
