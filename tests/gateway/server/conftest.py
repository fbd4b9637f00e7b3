"""A certificate for the servers of these tests."""

from __future__ import annotations

import ssl

import pytest

from gateway.configuration.tls import TlsSettings
from tests.support.certificates import Authority, client_context


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def tls(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> TlsSettings:
    folder = tmp_path_factory.mktemp("tls")
    settings = TlsSettings(certificate=folder / "tls.pem", key=folder / "tls.key")
    authority.server().write(folder / "tls.pem", folder / "tls.key")
    return settings


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    return client_context(authority)
