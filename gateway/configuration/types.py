"""The value types settings are made of: each says in words what it expects when it refuses.

A refusal is a `PydanticCustomError` of type `expected`, whose message is the expectation alone; the loader adds
what was found and where. Secrets never travel in a message.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from cos.address import Domains
from cos.errors import COSError
from cos.values import parse_bucket, parse_region
from gateway.secret import Secret


def expected(text: str) -> PydanticCustomError:
    """The refusal of a value: `text` completes the sentence "expected …"."""
    return PydanticCustomError("expected", "{expected}", {"expected": text})


def _one_line(value: str) -> str:
    if not value or not value.isprintable() or value != value.strip():
        raise expected("one line of text without spaces around it")
    return value


def _account(value: str) -> str:
    if not value.isascii() or not value.isdigit():
        raise expected("an APPID: digits only, such as 1250000000")
    return value


def _cos_value(parse: Callable[[str], str], text: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        try:
            return parse(value)
        except COSError:
            raise expected(text) from None

    return check


def _domain(value: str) -> str:
    try:
        return Domains((value.lower(),)).gateway[0]
    except ValueError:
        raise expected("a host name such as cos.example.com, without scheme or port") from None


def _endpoint(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise expected("a URL such as https://cos.internal.example:443") from None
    rest = parts.path.rstrip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in ("http", "https") or not parts.hostname or rest or port == 0:
        raise expected("http:// or https://, a host and optionally a port, nothing else")
    return value.rstrip("/")


def _network(value: Any) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(str(value))
    except ValueError:
        raise expected("a network such as 10.0.0.0/8 or 2001:db8::/32, without host bits") from None


def _secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value or value != value.strip() or not value.isprintable():
        raise expected("a secret: one line of text without spaces around it")
    return Secret(value)


Port = Annotated[int, Field(ge=0, le=65535)]
Processes = Annotated[int, Field(ge=1, le=64)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0, le=7 * 86400, allow_inf_nan=False)]
WholeSeconds = Annotated[int, Field(ge=1, le=366 * 86400)]
Text = Annotated[str, AfterValidator(_one_line)]
Domain = Annotated[str, AfterValidator(_domain)]
Account = Annotated[str, AfterValidator(_account)]
BucketName = Annotated[
    str, AfterValidator(_cos_value(parse_bucket, "a bucket name with its APPID, such as examplebucket-1250000000"))
]
RegionName = Annotated[str, AfterValidator(_cos_value(parse_region, "a region such as ap-guangzhou"))]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Network = Annotated[
    IPv4Network | IPv6Network, PlainValidator(_network), PlainSerializer(str), WithJsonSchema({"type": "string"})
]
SecretText = Annotated[
    Secret,
    PlainValidator(_secret),
    PlainSerializer(lambda _: "***", return_type=str),
    WithJsonSchema({"type": "string", "format": "password", "writeOnly": True}),
]
