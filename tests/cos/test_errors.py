"""The error table."""

from __future__ import annotations

import pytest

from cos.errors import ERRORS, COSError


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InvalidArgument", 400), ("InvalidCopySource", 400), ("AccessDenied", 403), ("SignatureDoesNotMatch", 403),
        ("NoSuchUpload", 404), ("MethodNotAllowed", 405), ("AppendPositionErr", 409), ("MissingContentLength", 411),
        ("PreconditionFailed", 412), ("InvalidRange", 416), ("InternalError", 500), ("SlowDown", 503),
    ],
)  # fmt: skip
def test_status_follows_from_the_code(code: str, status: int) -> None:
    error = COSError(code)
    assert (error.code, error.status, error.message) == (code, status, ERRORS[code].message)


def test_a_case_may_name_its_own_message_status_and_details() -> None:
    error = COSError("NoSuchKey", "gone", status=400, details=(("Reason", "marker"),))
    assert (error.message, error.status, error.details) == ("gone", 400, (("Reason", "marker"),))
    assert str(error) == "NoSuchKey: gone"


def test_an_unknown_code_is_a_programming_mistake() -> None:
    with pytest.raises(KeyError):
        COSError("NoSuchCode")


def test_every_code_is_an_error_with_a_message() -> None:
    for code, spec in ERRORS.items():
        assert 400 <= spec.status <= 504, code
        assert spec.message.strip(), code
    assert {spec.status for spec in ERRORS.values()}.isdisjoint({301, 302, 307, 308})
