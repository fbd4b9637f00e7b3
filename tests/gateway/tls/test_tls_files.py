"""The files of TLS: what is served with was read whole, is sound, and is nobody else's to read."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.configuration.tls import ClientCertificates, TlsSettings
from gateway.settings import Settings, SettingsErrors, load_settings
from gateway.tls.files import MAX_FILE_BYTES, TlsFileError, fingerprint, load
from tests.support.certificates import DAY, Authority


class Folder:
    """Files that are sound until a test spoils one."""

    def __init__(self, path: Path) -> None:
        self.authority = Authority()
        self.issued = self.authority.server()
        self.certificate, self.key, self.ca, self.crl = (path / name for name in ("tls.pem", "tls.key", "ca", "crl"))
        self.issued.write(self.certificate, self.key)
        self.ca.write_bytes(self.authority.pem)
        self.crl.write_bytes(self.authority.revocations())

    def settings(self, **changes: Any) -> TlsSettings:
        return TlsSettings(
            **{
                "certificate": self.certificate,
                "key": self.key,
                "client_certificates": ClientCertificates.OPTIONAL,
                "client_ca": self.ca,
                "client_crl": self.crl,
            }
            | changes
        )


@pytest.fixture
def files(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_was_read_is_told(files: Folder) -> None:
    found = load(files.settings())
    assert (found.subject, found.serial) == ("CN=localhost", files.issued.serial)
    assert found.not_after == files.issued.certificate.not_valid_after_utc
    assert found.revocations_until is not None
    assert found.is_current(datetime.now(UTC))
    assert not found.is_current(datetime.now(UTC) + 2 * DAY), "the list of revoked certificates is out of date"


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        (ClientCertificates.OFF, ssl.CERT_NONE),
        (ClientCertificates.OPTIONAL, ssl.CERT_OPTIONAL),
        (ClientCertificates.REQUIRED, ssl.CERT_REQUIRED),
    ],
)
def test_the_context_is_as_the_settings_say(files: Folder, asked: ClientCertificates, mode: ssl.VerifyMode) -> None:
    changes = {} if asked is not ClientCertificates.OFF else {"client_ca": None, "client_crl": None}
    context = load(files.settings(client_certificates=asked, **changes)).context
    assert context.verify_mode is mode
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_RENEGOTIATION
    resumes = asked is ClientCertificates.OFF
    assert (context.num_tickets > 0) == resumes, "a resumed connection proves no certificate anew"


SPOILS: dict[str, tuple[Callable[[Folder], Any], str]] = {
    "no certificate": (lambda files: files.certificate.unlink(), "tls.certificate: .*No such file"),
    "no key": (lambda files: files.key.unlink(), "tls.key: .*No such file"),
    "an empty certificate": (lambda files: files.certificate.write_bytes(b""), "tls.certificate: .*PEM"),
    "a broken certificate": (
        lambda files: files.certificate.write_bytes(files.issued.pem[:300] + b"\n-----END CERTIFICATE-----\n"),
        "tls.certificate: .*PEM",
    ),
    "a key for a certificate": (
        lambda files: files.certificate.write_bytes(files.key.read_bytes()),
        "tls.certificate: .*PEM",
    ),
    "a certificate for a key": (lambda files: files.key.write_bytes(files.issued.pem), "tls.key: .*private key"),
    "half a key": (lambda files: files.key.write_bytes(files.issued.key_pem()[:80]), "tls.key: .*private key"),
    "another's key": (
        lambda files: files.key.write_bytes(files.authority.server().key_pem()),
        "tls.key: .*key of the certificate",
    ),
    "a key with a passphrase": (
        lambda files: files.key.write_bytes(files.issued.key_pem(b"open")),
        "tls.key: .*without a passphrase",
    ),
    "a key for everybody": (lambda files: files.key.chmod(0o644), "tls.key: .*mode 0600 or 0640 .*got 0644"),
    "a key the group may write": (lambda files: files.key.chmod(0o660), "tls.key: .*got 0660"),
    "a large certificate": (
        lambda files: files.certificate.write_bytes(b"#" * (MAX_FILE_BYTES + 1)),
        "tls.certificate: .*at most",
    ),
    "no authority": (lambda files: files.ca.write_bytes(b"none"), "tls.client_ca: .*PEM"),
    "no list": (lambda files: files.crl.write_bytes(b""), "tls.client_crl: .*X509 CRL"),
    "an authority among the lists": (
        lambda files: files.crl.write_bytes(files.crl.read_bytes() + Authority().pem),
        "tls.client_crl: .*no others",
    ),
    "a broken list": (
        lambda files: files.crl.write_bytes(b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
        "tls.client_crl: .*well-formed",
    ),
    "a folder": (lambda files: (files.ca.unlink(), files.ca.mkdir()), "tls.client_ca: .*(regular file|directory)"),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_files_that_cannot_be_used_are_named_and_not_shown(files: Folder, spoil: str) -> None:
    spoiled, expected = SPOILS[spoil]
    secret = files.issued.key_pem().splitlines()[1].decode()
    spoiled(files)
    with pytest.raises(TlsFileError, match=expected) as refused:
        load(files.settings())
    assert secret not in str(refused.value)


def test_a_key_that_its_group_may_read_is_used(files: Folder) -> None:
    files.key.chmod(0o640)
    load(files.settings())


def test_content_and_trust_change_with_the_files(files: Folder) -> None:
    first = load(files.settings())
    assert (load(files.settings()).content, load(files.settings()).trust) == (first.content, first.trust)
    files.authority.server().write(files.certificate, files.key)
    second = load(files.settings())
    assert second.content != first.content
    assert second.trust == first.trust
    files.crl.write_bytes(files.authority.revocations(files.issued))
    third = load(files.settings())
    assert third.content != second.content
    assert third.trust != second.trust


def test_a_fingerprint_tells_of_content_mode_and_absence(files: Folder) -> None:
    seen = [fingerprint(files.settings())]
    for change in (
        lambda: files.authority.server().write(files.certificate, files.key),
        lambda: files.key.chmod(0o640),
        lambda: files.crl.unlink(),
    ):
        change()
        seen.append(fingerprint(files.settings()))
    assert len(set(seen)) == len(seen)


# --- settings -----------------------------------------------------------------------------------------------------


def tls(**values: Any) -> Settings:
    """As a file says it."""
    return load_settings(overrides={f"tls.{name}": value for name, value in values.items()}, environment={})


PAIR = {"certificate": "a.pem", "key": "a.key"}
ASKED = PAIR | {"client_certificates": "required", "client_ca": "ca.pem"}


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"certificate": "a.pem"}, "tls.key"),
        ({"key": "a.key"}, "tls.certificate"),
        ({"client_certificates": "optional", "client_ca": "ca.pem"}, "tls.client_certificates"),
        (PAIR | {"client_certificates": "required"}, "tls.client_ca"),
        (PAIR | {"client_ca": "ca.pem"}, "tls.client_ca"),
        (PAIR | {"client_crl": "crl.pem"}, "tls.client_crl"),
        (PAIR | {"client_principals": {"cn:a": "team:a"}}, "tls.client_principals"),
        (ASKED | {"accept_unsigned": True}, "tls.accept_unsigned"),
        (ASKED | {"client_principals": {"a": "team:a"}}, "tls.client_principals"),
        (ASKED | {"client_principals": {"ip:1.2.3.4": "team:a"}}, "tls.client_principals"),
        (ASKED | {"client_principals": {"cn:": "team:a"}}, "tls.client_principals"),
        (PAIR | {"min_version": "1.1"}, "tls.min_version"),
        (PAIR | {"client_certificates": "maybe"}, "tls.client_certificates"),
    ],
)
def test_settings_that_make_no_sense_are_refused_where_they_stand(values: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsErrors) as refused:
        tls(**values)
    assert [error.key.startswith(key) for error in refused.value.errors] == [True]


def test_settings_become_terms() -> None:
    settings = tls(**ASKED, client_principals={"dns:*.MEDIA.example": "team:media"}, accept_unsigned=True).tls
    assert settings.scheme == "https"
    assert settings.terms.required
    assert settings.terms.accept_unsigned
    assert [(pattern.text, principal) for pattern, principal in settings.terms.principals] == [
        ("dns:*.media.example", "team:media")
    ]
    assert tls().tls.scheme == "http"


def test_a_certificate_out_of_date_is_read_and_known_for_it(files: Folder) -> None:
    for starts, ends in ((-3 * DAY, -DAY), (DAY, 3 * DAY)):
        files.authority.server(starts=starts, ends=ends).write(files.certificate, files.key)
        assert not load(files.settings()).is_current(datetime.now(UTC))
