"""Pieces that several listings write: encoded keys, owners, counts read from the query."""

from __future__ import annotations

import re
from urllib.parse import quote

from cos.errors import COSError
from cos.xml import Element, element
from emulator.exchange import Exchange

_COUNT = re.compile(r"[0-9]{1,10}", re.ASCII)


def encoded(exchange: Exchange, text: str) -> str:
    """A key, prefix, marker or delimiter for a listing: percent-encoded when `encoding-type=url` was asked."""
    return quote(text, safe="/-_.~") if exchange.parameter("encoding-type") == "url" else text


def encoding_element(exchange: Exchange, tag: str) -> list[Element]:
    """What tells the client that keys are encoded; nothing unless asked. Raises COSError(InvalidArgument)."""
    asked = exchange.parameter("encoding-type")
    if asked not in ("", "url"):
        raise COSError("InvalidArgument", f"Expected encoding-type to be url, got {asked[:40]!r}.")
    return [element(tag, "url")] if asked else []


def owner_element(exchange: Exchange, tag: str) -> Element:
    """`<Owner>` or `<Initiator>`: the caller's account."""
    if exchange.caller is None:
        return element(tag, element("ID", ""), element("DisplayName", ""))
    account = exchange.caller.account
    return element(tag, element("ID", account.owner_id), element("DisplayName", account.uin))


def boolean_element(tag: str, value: bool) -> Element:
    """`true` or `false`: the Python SDK compares with the text."""
    return element(tag, "true" if value else "false")


def read_count(exchange: Exchange, name: str, *, default: int) -> int:
    """A number from the query; empty means absent (the Python SDK sends empty ones).

    Raises COSError(InvalidArgument).
    """
    text = exchange.parameter(name)
    if not text:
        return default
    if _COUNT.fullmatch(text) is None:
        raise COSError("InvalidArgument", f"Expected {name} to be a number, got {text[:40]!r}.")
    return int(text)
