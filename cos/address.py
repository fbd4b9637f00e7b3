"""The address of a request: Host and path ⇄ service, bucket or object.

| host                                                    | addresses                    | style   |
|---------------------------------------------------------|------------------------------|---------|
| `<bucket>.cos.<region>.myqcloud.com` (1) (2)            | a bucket, its region stated  | cos     |
| `service.cos.myqcloud.com` (1)                          | the service                  | cos     |
| `cos.<region>.myqcloud.com` (1)                         | the service in one region    | cos     |
| `<bucket>.<gateway>`                                    | a bucket                     | gateway |
| `<bucket>.cos.<region>.<gateway>`                       | a bucket, its region stated  | gateway |
| `service.cos.<gateway>`, `cos.<region>.<gateway>`       | the service                  | gateway |
| `<gateway>`                                             | what the path names          | path    |

(1) also on `tencentcos.cn`; (2) also `cos-internal` for `cos`. They are spellings of one bucket and give
equal buckets, so that one rule meets them all. Every other host is refused, among them acceleration,
website, image-processing and CDN names, region names from before `cos.`, IP addresses and look-alikes:
they say nothing about the region, or nothing that could be trusted.

A path loses its first `/` and nothing else: `//a` is the key `/a`. Keys are never normalised.
Source: COS API, "Regions and Access Endpoints"; reference page §5.1, §5.2; threat model C5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from cos.errors import COSError
from cos.values import Bucket, ObjectKey, Region, parse_bucket, parse_object_key, parse_region

MAX_HOST_CHARACTERS = 253

_COS_SUFFIXES = ("myqcloud.com", "tencentcos.cn")
_NAME = r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*"
_IPV6 = r"\[[0-9a-f:.]{2,45}\]"
_DOMAIN = re.compile(rf"{_NAME}|{_IPV6}", re.ASCII)
_AUTHORITY = re.compile(rf"(?P<name>{_NAME}|{_IPV6})(?::(?P<port>[0-9]{{1,5}}))?", re.ASCII)


class Level(StrEnum):
    """What a request is about."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


class AddressStyle(StrEnum):
    """How a request named its bucket."""

    COS = "cos"
    """By the real COS host name."""
    GATEWAY = "gateway"
    """By a name under one of the gateway's domains."""
    PATH = "path"
    """By the first segment of the path (S3 clients)."""


# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_SERVICE, _BUCKET, _OBJECT = Level.SERVICE, Level.BUCKET, Level.OBJECT
_BY_PATH = AddressStyle.PATH


class Domains(Struct, frozen=True, gc=False):
    """The gateway's own host names: lower-case, without port; an IPv6 address in brackets.

    Raises ValueError for anything else, so that a mistyped setting cannot silently match nothing.
    """

    gateway: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for domain in self.gateway:
            if len(domain) > MAX_HOST_CHARACTERS or _DOMAIN.fullmatch(domain) is None:
                raise ValueError(f"expected a gateway domain like cos.example.com without port, got {domain!r}")


@dataclass(frozen=True, slots=True)
class Host:
    """What a host names by itself. `bucket` is None for the service and for the path style."""

    bucket: Bucket | None
    region: Region | None
    style: AddressStyle
    port: int | None


class Address(Struct, frozen=True, gc=False):
    """What a request addresses. `bucket` and `key` are given as far as `level` reaches.

    `region` is given only when the host names it: it is the caller's claim, to be compared with the registry.
    """

    level: Level
    bucket: Bucket | None
    key: ObjectKey | None
    region: Region | None
    style: AddressStyle


@lru_cache(maxsize=256)  # a pure function of short texts; the parts of an upload come to one path
def parse_address(host: str, path: bytes, domains: Domains) -> Address:
    """The address named by a Host value and a percent-decoded path (with its first `/`).

    Raises COSError(InvalidURI, InvalidBucketName, KeyTooLong).
    """
    parsed = parse_host(host, domains)
    if not path.startswith(b"/"):
        raise COSError("InvalidURI", f"Expected a path that starts with '/', got {path[:40]!r}.")
    rest = path[1:]
    bucket = parsed.bucket
    if parsed.style is _BY_PATH and rest:
        raw_bucket, _, rest = rest.partition(b"/")
        # Latin-1 cannot fail, and its letters beyond ASCII are in no bucket name.
        bucket = parse_bucket(raw_bucket.decode("latin-1"))
    if bucket is None:
        if rest:
            raise COSError("InvalidURI", f"Expected the path '/' on the service host {host[:80]!r}.")
        return Address(_SERVICE, None, None, parsed.region, parsed.style)
    if not rest:
        return Address(_BUCKET, bucket, None, parsed.region, parsed.style)
    return Address(_OBJECT, bucket, parse_object_key(rest), parsed.region, parsed.style)


@lru_cache(maxsize=1024)  # a pure function of short texts; clients repeat few hosts
def parse_host(host: str, domains: Domains) -> Host:
    """A host name with optional port, in any case. Raises COSError(InvalidURI, InvalidBucketName)."""
    # Checked before lower(): some letters beyond ASCII have an ASCII lower case (the Kelvin sign is one).
    match = _AUTHORITY.fullmatch(host.lower()) if host.isascii() else None
    if match is None or len(match["name"]) > MAX_HOST_CHARACTERS:
        raise COSError("InvalidURI", f"Expected a host name with an optional port, got {host[:80]!r}.")
    name = match["name"]
    port = int(match["port"]) if match["port"] is not None else None
    if port is not None and not 1 <= port <= 65535:
        raise COSError("InvalidURI", f"Expected a port from 1 to 65535, got {port}.")
    domain = max((d for d in domains.gateway if name == d or name.endswith(f".{d}")), key=len, default=None)
    if domain is not None:
        if name == domain:
            return Host(None, None, AddressStyle.PATH, port)
        labels = name[: -len(domain) - 1].split(".")
        if len(labels) == 1:
            return Host(parse_bucket(labels[0]), None, AddressStyle.GATEWAY, port)
        return _parse_labels(host, labels, ("cos",), AddressStyle.GATEWAY, port)
    for suffix in _COS_SUFFIXES:
        if name.endswith(f".{suffix}"):
            labels = name[: -len(suffix) - 1].split(".")
            return _parse_labels(host, labels, ("cos", "cos-internal"), AddressStyle.COS, port)
    raise _not_served(host)


def cos_host(bucket: Bucket, region: Region) -> str:
    """The real COS host of a bucket: `examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com`."""
    return f"{bucket}.cos.{region}.myqcloud.com"


def service_host(region: Region | None) -> str:
    """The real COS host of the service (list buckets), or of the service in one region."""
    return f"cos.{region}.myqcloud.com" if region is not None else "service.cos.myqcloud.com"


def _parse_labels(
    host: str, labels: list[str], services: tuple[str, ...], style: AddressStyle, port: int | None
) -> Host:
    """The labels left of the domain: `service.cos`, `cos.<region>` or `<bucket>.cos.<region>`."""
    match labels:
        case ["service", "cos"]:
            return Host(None, None, style, port)
        case ["cos", region]:
            return Host(None, _parse_region(host, region), style, port)
        case [bucket, service, region] if service in services:
            return Host(parse_bucket(bucket), _parse_region(host, region), style, port)
    raise _not_served(host)


def _parse_region(host: str, text: str) -> Region:
    # Global acceleration stands where a region does but names none; the bucket could be anywhere.
    if text == "accelerate":
        raise COSError("InvalidURI", f"Expected a host that names its region, got the acceleration host {host[:80]!r}.")
    try:
        return parse_region(text)
    except COSError as error:
        raise COSError("InvalidURI", error.message) from None


def _not_served(host: str) -> COSError:
    return COSError(
        "InvalidURI",
        f"Expected a host like <bucket>.cos.<region>.myqcloud.com or one of the gateway's domains, got {host[:80]!r}.",
    )
