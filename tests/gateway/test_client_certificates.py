"""What a client certificate says, whom it stands for, and which keys may be used with it."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import msgspec
import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cos.errors import COSError
from gateway.access_log import Answered, JsonAccessLog, structured_access_log
from gateway.client_certificates import (
    NO_CERTIFICATES,
    CertificateTerms,
    ClientCertificate,
    check_current,
    read_client_certificate,
)
from policies.patterns import Pattern
from tests.support.certificates import Authority

NOW = 1_800_000_000.0
MEDIA, BATCH, NOBODY = (
    ClientCertificate(f"CN={name}", "1f", "00ff", (f"cn:{name}", f"dns:{name}.example.com"), NOW - 10, NOW + 10)
    for name in ("media", "batch", "nobody")
)
MAPPING = ((Pattern("cn:media"), "team:media"), (Pattern("dns:b*.example.com"), "team:batch"))
OPTIONAL = CertificateTerms(principals=MAPPING)
REQUIRED = CertificateTerms(required=True, principals=MAPPING)
ONLY_CONNECTS = CertificateTerms(required=True)


def read(*names: x509.GeneralName, common_names: tuple[str, ...] = ("media",)) -> ClientCertificate:
    issued = Authority().issue(*names, common_names=common_names, client=True, starts=-timedelta(days=2))
    return read_client_certificate(issued.certificate.public_bytes(Encoding.DER))


# --- reading ------------------------------------------------------------------------------------------------------


def test_names_are_told_by_their_kind() -> None:
    certificate = read(
        x509.UniformResourceIdentifier("spiffe://Example.com/media/1"),
        x509.DNSName("Media.Example.com"),
        x509.RFC822Name("media@example.com"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
    )
    assert certificate.names == (
        "uri:spiffe://Example.com/media/1",
        "dns:media.example.com",
        "email:media@example.com",
        "cn:media",
    )


def test_what_logs_show_is_the_certificates_own() -> None:
    issued = Authority().issue(common_names=("media",), client=True)
    certificate = read_client_certificate(issued.certificate.public_bytes(Encoding.DER))
    assert certificate.described() == {
        "subject": "CN=media",
        "serial": issued.serial,
        "fingerprint": issued.certificate.fingerprint(issued.certificate.signature_hash_algorithm).hex(),
    }
    assert certificate.label == f"CN=media (serial {issued.serial})"
    assert certificate.not_after == issued.certificate.not_valid_after_utc.timestamp()


@pytest.mark.parametrize("common_names", [(), ("media", "batch"), ("media", "media")], ids=["none", "two", "the same"])
def test_a_common_name_counts_only_when_there_is_one(common_names: tuple[str, ...]) -> None:
    assert read(x509.DNSName("a.example.com"), common_names=common_names).names == ("dns:a.example.com",)


@pytest.mark.parametrize("name", ["media\nroot", "media\x00", "media\x1b[2J", "media\u202eroot"])
def test_names_that_cannot_be_shown_are_not_recognised_and_not_shown(name: str) -> None:
    certificate = read(common_names=(name,))
    assert certificate.names == ()
    assert certificate.subject.isprintable()


def test_a_subject_is_shown_up_to_a_length() -> None:
    certificate = read(x509.DNSName("a.example.com"), common_names=tuple("x" * 60 for _ in range(20)))
    assert len(certificate.subject) == 256


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"no certificate"])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(ValueError):
        read_client_certificate(der)


# --- whom it stands for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificate", "principal"), [(MEDIA, "team:media"), (BATCH, "team:batch"), (NOBODY, None)],
    ids=["exact", "glob", "nobody"],
)  # fmt: skip
def test_the_mapping_tells_the_principal(certificate: ClientCertificate, principal: str | None) -> None:
    assert REQUIRED.principal_of(certificate) == principal


def test_the_first_glob_that_fits_counts_and_not_the_first_name() -> None:
    both = ClientCertificate("", "1", "2", ("dns:b.example.com", "cn:media"), NOW - 1, NOW + 1)
    assert OPTIONAL.principal_of(both) == "team:media"
    assert CertificateTerms(principals=MAPPING[::-1]).principal_of(both) == "team:batch"


def test_one_kind_of_name_is_not_taken_for_another() -> None:
    disguised = ClientCertificate("", "1", "2", ("dns:cn:media", "uri:dns:b.example.com"), NOW - 1, NOW + 1)
    assert OPTIONAL.principal_of(disguised) is None


# --- which keys may be used with it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "certificate", "principal", "allowed"),
    [
        (NO_CERTIFICATES, None, "team:media", True),
        (OPTIONAL, None, "team:media", True),
        (OPTIONAL, MEDIA, "team:media", True),
        (OPTIONAL, MEDIA, "team:batch", False),
        (OPTIONAL, BATCH, "team:media", False),
        (OPTIONAL, NOBODY, "team:media", True),
        (REQUIRED, MEDIA, "team:media", True),
        (REQUIRED, MEDIA, "team:batch", False),
        (REQUIRED, NOBODY, "team:media", False),
        (REQUIRED, None, "team:media", False),
        (ONLY_CONNECTS, MEDIA, "team:batch", True),
        (ONLY_CONNECTS, NOBODY, "team:media", True),
        (ONLY_CONNECTS, None, "team:media", False),
    ],
    ids=[
        "off", "optional none", "optional own", "optional other's", "optional another's", "optional nobody's",
        "required own", "required other's", "required nobody's", "required none",
        "no mapping", "no mapping nobody's", "no mapping none",
    ],
)  # fmt: skip
def test_a_key_is_good_only_with_its_principals_certificate(
    terms: CertificateTerms, certificate: ClientCertificate | None, principal: str, allowed: bool
) -> None:
    if allowed:
        terms.check_bound(principal, certificate, now=NOW)
        return
    with pytest.raises(COSError) as refused:
        terms.check_bound(principal, certificate, now=NOW)
    assert refused.value.code == "AccessDenied"
    assert "team:" not in refused.value.message


@pytest.mark.parametrize(
    ("moment", "current"),
    [(NOW - 10.1, False), (NOW - 10, True), (NOW, True), (NOW + 10, True), (NOW + 10.1, False)],
    ids=["before", "first", "within", "last", "after"],
)
def test_a_connection_that_outlives_its_certificate_is_of_no_use(moment: float, current: bool) -> None:
    for check in (
        lambda: check_current(MEDIA, now=moment),
        lambda: OPTIONAL.check_bound("team:media", MEDIA, now=moment),
        lambda: ONLY_CONNECTS.check_bound("team:media", MEDIA, now=moment),
    ):
        if current:
            check()
        else:
            with pytest.raises(COSError, match="expired"):
                check()


# --- the access log -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("certificate", [None, MEDIA], ids=["without", "with"])
async def test_the_access_log_names_a_certificate_when_there_is_one(certificate: ClientCertificate | None) -> None:
    label = certificate.label if certificate is not None else msgspec.UNSET
    answered = Answered("id", "10.0.0.1", "team:media", "GetObject", 200, None, "completed", None, 0, 1, 0.5, label)
    stream = io.BytesIO()
    log = JsonAccessLog(stream)
    log(answered)
    log.close()
    with structlog.testing.capture_logs() as captured:
        structured_access_log(answered)
    for line in (json.loads(stream.getvalue()), captured[0]):
        assert line.get("certificate") == (None if certificate is None else "CN=media (serial 1f)")
        assert ("certificate" in line) == (certificate is not None)
