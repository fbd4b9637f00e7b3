"""Requests signed with AWS Signature Version 2, by the document's own example key."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cos.address import Address, Domains, parse_address
from cos.errors import COSError
from cos.request import Request, read_request
from cos.signing import Claim, check_coverage, read_claim, sigv2, verify

ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DOMAINS = Domains(gateway=("gateway.test",))
BUCKET = "examplebucket-1250000000"
PATH_HOST = "gateway.test:9000"
VIRTUAL_HOST = f"{BUCKET}.gateway.test:9000"
DATE = "Tue, 27 Mar 2007 19:36:42 +0000"
MOMENT = 1175024202


def received(
    method: str, target: str, headers: Iterable[tuple[str, str]] = (), host: str = PATH_HOST
) -> tuple[Request, Address]:
    fields = [(b"host", host.encode()), *((name.encode(), value.encode()) for name, value in headers)]
    request = read_request(method, target.encode(), fields)
    return request, parse_address(request.host, request.target.path, DOMAINS)


def prove(request: Request, address: Address, secret: str = SECRET) -> Claim:
    claim = read_claim(request, sigv2_at=address)
    verify(request, claim, secret)
    check_coverage(request, claim, level=address.level)
    return claim


def refusal(request: Request, address: Address, secret: str = SECRET) -> str:
    with pytest.raises(COSError) as caught:
        prove(request, address, secret)
    return caught.value.code


def sign(
    method: str, target: str, headers: list[tuple[str, str]], host: str = PATH_HOST, date: str = DATE
) -> tuple[str, str, list[tuple[str, str]], str]:
    """Method, target, headers with Authorization, and host of a request signed by hand."""
    request, address = received(method, target, headers, host)
    bucket = address.bucket if host == VIRTUAL_HOST else None
    text = sigv2.string_to_sign(request, date, sigv2.resources(request.target, bucket)[0])
    return method, target, [*headers, ("Authorization", f"AWS {ID}:{sigv2.signature(SECRET, text)}")], host
