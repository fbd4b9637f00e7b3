"""What every refusal of the admin API looks like."""

from __future__ import annotations

from typing import Any

import httpx


def refused(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The problem of a refused request, after checking its shape; `kind` is the end of its type."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:cos-gateway:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == answer.request.url.path
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem
