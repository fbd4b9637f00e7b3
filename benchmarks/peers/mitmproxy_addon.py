"""What one would write to govern part copies with mitmproxy: an addon that does what signing.lua does.

It verifies the COS signature (host, every x-cos-* header and every parameter must be covered), judges source,
destination and range, and signs anew for COS. Sign keys are cached per key time. There is no audit log, no trace, no
reload. It is loaded by mitmdump, which has an environment of its own: only its library and Python's are at hand.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import time
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from mitmproxy import http

MARGIN_SECONDS, LIFETIME_SECONDS, SKEW_SECONDS = 60, 900, 900
_SOURCE = re.compile(r"([a-z0-9-]+)\.cos\.([a-z0-9-]+)\.myqcloud\.com/([^?#]+)")
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]+)", re.ASCII)


class Refused(Exception):
    """Code and message of a refusal."""


class Signing:
    """The addon. Its two keys come from the environment."""

    def __init__(self) -> None:
        self._caller = (os.environ["PEER_CALLER_ID"], os.environ["PEER_CALLER_SECRET"].encode())
        self._upstream = (os.environ["PEER_UPSTREAM_ID"], os.environ["PEER_UPSTREAM_SECRET"].encode())
        self._sign_keys: dict[tuple[bytes, str], bytes] = {}

    def request(self, flow: Any) -> None:
        """Called by mitmproxy for each request that has come whole."""
        try:
            self._govern(flow.request)
        except Refused as refused:
            code, message = refused.args
            body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            flow.response = http.Response.make(403, body, {"Content-Type": "application/xml"})

    def _govern(self, request: Any) -> None:
        path, _, query = request.path.partition("?")
        path = unquote(path)
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in request.headers.items()}
        fields = dict(pair.partition("=")[::2] for pair in headers.get("authorization", "").split("&"))
        if fields.get("q-ak") != self._caller[0]:
            raise Refused("InvalidAccessKeyId", "unknown key")
        header_list = fields.get("q-header-list", "").split(";")
        parameter_list = fields.get("q-url-param-list", "").split(";")
        lowered = {name.lower(): value for name, value in parameters.items()}
        if not {quote(name, safe="-_.~").lower() for name in parameters} <= set(parameter_list):
            raise Refused("AccessDenied", "a parameter is not signed")
        needed = {name for name in headers if name == "host" or name.startswith("x-cos-")}
        if not needed <= set(header_list):
            raise Refused("AccessDenied", "a header is not signed")
        sign_time, key_time = fields.get("q-sign-time", ""), fields.get("q-key-time", "")
        start, _, end = sign_time.partition(";")
        now = int(time.time())
        if not (start.isdigit() and end.isdigit()) or now > int(end) or now < int(start) - SKEW_SECONDS:
            raise Refused("AccessDenied", "Request has expired")
        try:
            shown = "&".join(f"{name}={_encode(lowered[name])}" for name in parameter_list if name)
            signed = "&".join(f"{name}={_encode(headers[name])}" for name in header_list if name)
        except KeyError:
            raise Refused("AccessDenied", "listed but absent") from None
        method = request.method.lower()
        key = self._sign_key(self._caller[1], key_time)
        expected = _signature(key, sign_time, f"{method}\n{path}\n{shown}\n{signed}\n")
        if not hmac.compare_digest(expected, fields.get("q-signature", "")):
            raise Refused("SignatureDoesNotMatch", "The Signature you specified is invalid.")
        source, byte_range = _judge(method, headers, parameters)

        request.headers["x-cos-copy-source"] = source
        request.headers["x-cos-copy-source-range"] = byte_range
        minute = now - now % 60
        window = f"{minute - MARGIN_SECONDS};{minute + LIFETIME_SECONDS}"
        again = (
            f"{method}\n{path}\n{shown}\ncontent-length=0&host={_encode(headers['host'])}"
            f"&x-cos-copy-source={_encode(source)}&x-cos-copy-source-range={_encode(byte_range)}\n"
        )
        proof = _signature(self._sign_key(self._upstream[1], window), window, again)
        request.headers["authorization"] = (
            f"q-sign-algorithm=sha1&q-ak={self._upstream[0]}&q-sign-time={window}&q-key-time={window}"
            "&q-header-list=content-length;host;x-cos-copy-source;x-cos-copy-source-range"
            f"&q-url-param-list={';'.join(parameter_list)}&q-signature={proof}"
        )

    def _sign_key(self, secret: bytes, key_time: str) -> bytes:
        held = self._sign_keys.get((secret, key_time))
        if held is None:
            if len(self._sign_keys) > 1024:
                self._sign_keys.clear()
            held = hmac.digest(secret, key_time.encode(), "sha1").hex().encode()
            self._sign_keys[(secret, key_time)] = held
        return held


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")


def _signature(key: bytes, sign_time: str, http_string: str) -> str:
    digest = hashlib.sha1(http_string.encode()).hexdigest()
    return hmac.digest(key, f"sha1\n{sign_time}\n{digest}\n".encode(), "sha1").hex()


def _judge(method: str, headers: dict[str, str], parameters: dict[str, str]) -> tuple[str, str]:
    """The copy source and the range as they are sent on. Raises Refused."""
    if method != "put" or "uploadId" not in parameters:
        raise Refused("AccessDenied", "only part copies")
    if headers["host"] != "media-1250000000.cos.ap-guangzhou.myqcloud.com":
        raise Refused("AccessDenied", "destination")
    number = parameters.get("partNumber", "")
    if not number.isdigit() or not 1 <= int(number) <= 10_000:
        raise Refused("AccessDenied", "part number")
    named = _SOURCE.fullmatch(headers.get("x-cos-copy-source", ""))
    if named is None or named[1] != "raw-1250000000" or named[2] != "ap-guangzhou":
        raise Refused("AccessDenied", "source")
    key = unquote(named[3])
    if not key.startswith("incoming/"):
        raise Refused("AccessDenied", "source key")
    found = _RANGE.fullmatch(headers.get("x-cos-copy-source-range", ""))
    if found is None:
        raise Refused("AccessDenied", "range")
    first, last = int(found[1]), int(found[2])
    if not 1 << 20 <= last - first + 1 <= 1 << 30:
        raise Refused("AccessDenied", "range")
    return f"{named[1]}.cos.{named[2]}.myqcloud.com/{quote(key, safe='-_.~/')}", f"bytes={first}-{last}"


addons = [Signing()]
