"""What a caller is told when the store fails: to try again, and nothing about the store."""

from __future__ import annotations

import pytest

from gateway.credentials.envelope import UnknownMasterKey, UnopenableSecret
from gateway.errors import as_cos_error
from gateway.ports import StoreUnavailable


@pytest.mark.parametrize("kind", [StoreUnavailable, UnopenableSecret, UnknownMasterKey])
def test_a_store_failure_is_a_503_without_its_reason(kind: type[StoreUnavailable]) -> None:
    error = as_cos_error(kind("The store at /srv/gateway.db cannot be used: database is locked."))
    assert (error.code, error.status) == ("ServiceUnavailable", 503)
    assert "gateway.db" not in error.message
    assert "locked" not in error.message
