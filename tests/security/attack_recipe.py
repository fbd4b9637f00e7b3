"""A case of the corpus as bytes: sign a request, then tamper with it, then put it on the wire as told.

Every string of the corpus is a latin-1 byte string. `${NAME}` are the fixture's names, `${REP|n|s}` repeats,
`${SEQ|n|sep|item}` counts. The format: `docs/security.md`, "The attack corpus".
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.security import attack_signing as signing

Case = Mapping[str, Any]
Fields = list[tuple[bytes, bytes]]

_REPEAT = re.compile(r"\$\{REP\|(\d+)\|([^}]*)\}")
_SEQUENCE = re.compile(r"\$\{SEQ\|(\d+)\|([^|]*)\|([^}]*)\}")
_SIGNABLE = frozenset(
    b"cache-control content-disposition content-encoding content-type content-md5 expect expires host if-match "
    b"if-modified-since if-none-match if-unmodified-since origin range".split()
)


@dataclass(slots=True)
class Recipe:
    """One request, ready to be sent. `method`, `raw_path`, `raw_query`, `headers` and `body` are what it says."""

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: Fields
    body: bytes
    target: bytes = b""
    version: bytes = b"HTTP/1.1"
    signature: str = ""
    raw: bytes = b""
    wire: Mapping[str, Any] = field(default_factory=dict)

    def header(self, name: bytes) -> bytes | None:
        return next((value for held, value in self.headers if held.lower() == name), None)


def variables(fixture: Mapping[str, Any], case_id: str) -> dict[str, str]:
    """The names a case may use."""
    buckets, keys, upstream = fixture["buckets"], fixture["keys"], fixture["upstream"]

    def host(bucket: str, region: str = "") -> str:
        return f"{bucket}.cos.{region or buckets[bucket]}.myqcloud.com"

    names = {
        "CID": case_id.lower(),
        "DST_HOST": host("dst-1250000000"),
        "DST2_HOST": host("dst2-1250000000"),
        "BOB_HOST": host("bob-1250000000"),
        "DSTX_HOST": host("dst-1250000000", "ap-shanghai"),
        "OTHER_HOST": host("dst-1259999999", "ap-guangzhou"),
        "OTHER": host("src-1259999999", "ap-guangzhou"),
        "ALICE_AK": keys["alice"]["ak"],
        "ALICE_SK": keys["alice"]["sk"],
        "BOB_AK": keys["bob"]["ak"],
        "UP_AK": upstream["ak"],
        "UP_SK": upstream["sk"],
    }
    for name, bucket in (
        ("SRC", "src"), ("DST", "dst"), ("SECRET", "secret"), ("BOBSRC", "bob"), ("XSRC", "xsrc"), ("XOK", "xok"),
    ):  # fmt: skip
        names[name] = host(f"{bucket}-1250000000")
    return names | {f"{name}_UPPER": value.upper() for name, value in names.items()}


def expand(text: str, names: Mapping[str, str]) -> str:
    """A text of the corpus with its variables and repetitions written out."""
    for name, value in names.items():
        text = text.replace(f"${{{name}}}", value)
    text = _SEQUENCE.sub(lambda m: m[2].join(m[3].replace("%d", str(number)) for number in range(int(m[1]))), text)
    return _REPEAT.sub(lambda m: m[2] * int(m[1]), text)


def build(request: Mapping[str, Any], names: Mapping[str, str], keys: Mapping[str, Any]) -> Recipe:
    """Make the request of a case."""
    if "inner" in request:
        inner = build(request["inner"], names, keys).raw.decode("latin-1")
        names = {**names, "INNER": inner, "INNER_LEN": str(len(inner))}

    def text(value: str) -> bytes:
        return expand(value, names).encode("latin-1")

    if "raw" in request:
        return Recipe("", b"", b"", [], b"", raw=text(request["raw"]))
    recipe = Recipe(
        method=request["method"],
        raw_path=text(request["path"]),
        raw_query=text(request["query"]),
        headers=[(b"Host", text(request["host"]))],
        body=text(request["body"]),
        wire=request.get("wire", {}),
    )
    recipe.headers += [(text(name), text(value)) for name, value in request["headers"]]
    if request.get("md5"):
        recipe.headers.append((b"Content-MD5", base64.b64encode(hashlib.md5(recipe.body).digest())))
    _sign(recipe, request.get("sign", {"mode": "none"}), names, keys)
    _frame(recipe, text)
    _tamper(recipe, request.get("post", []), text)
    _render(recipe, request.get("post", []), text)
    return recipe


# --- signing ------------------------------------------------------------------------------------------------


def _sign(recipe: Recipe, sign: Mapping[str, Any], names: Mapping[str, str], keys: Mapping[str, Any]) -> None:
    if sign["mode"] == "none":
        return
    key = keys[sign["key"]]
    if sign["mode"].startswith("sigv4"):
        _sign_v4(recipe, sign, key)
    else:
        _sign_cos(recipe, sign, key, names)


def _sign_cos(recipe: Recipe, sign: Mapping[str, Any], key: Mapping[str, str], names: Mapping[str, str]) -> None:
    presigned = sign["mode"] == "presign"
    now = int(time.time())
    sign_time = sign.get("sign_time_raw") or _window(now, sign.get("sign_time", [-60, 600]))
    key_time = sign.get("sign_time_raw") if "key_time" not in sign else _window(now, sign["key_time"])
    key_time = key_time or sign_time
    sent = [(name.lower(), value) for name, value in recipe.headers]
    wanted = sign.get("headers", ["host"] if presigned else "all")
    if wanted == "all":
        prefixes = (b"x-cos-", b"x-ci-", *((b"x-amz-",) if sign.get("sign_amz") else ()))
        listed = {signing.q_name(name) for name, _ in sent if name in _SIGNABLE or name.startswith(prefixes)}
    else:
        listed = {name.lower() for name in wanted}
    extra = [(name.encode(), expand(value, names).encode("latin-1")) for name, value in sign.get("extra_signed", [])]
    listed |= {signing.q_name(name) for name, _ in extra}
    query = signing.split_query(recipe.raw_query)
    parameters = sorted({signing.q_name(name) for name, _ in query}) if sign.get("params", "all") == "all" else []
    signed = signing.q_signature(
        key["sk"],
        signing.Signable(recipe.method, recipe.raw_path, query, sent + extra),
        header_list=sorted(listed),
        parameter_list=parameters,
        times=(sign_time, key_time),
    )
    recipe.signature = signed
    fields = (
        ("q-sign-algorithm", sign.get("algorithm", "sha1")),
        ("q-ak", key["ak"]),
        ("q-sign-time", sign_time),
        ("q-key-time", key_time),
        ("q-header-list", sign.get("header_list_raw", ";".join(sorted(listed)))),
        ("q-url-param-list", ";".join(parameters)),
        ("q-signature", _spoiled(signed, sign.get("signature"))),
    )
    if presigned:
        added = "&".join(f"{name}={signing.encode(value.encode('latin-1'))}" for name, value in fields)
        recipe.raw_query = b"&".join(part for part in (recipe.raw_query, added.encode()) if part)
        return
    value = "&".join(f"{name}={value}" for name, value in fields)
    value = expand(sign.get("prepend", ""), names) + value + expand(sign.get("append", ""), names)
    recipe.headers.append((b"Authorization", value.encode("latin-1")))


def _sign_v4(recipe: Recipe, sign: Mapping[str, Any], key: Mapping[str, str]) -> None:
    moment = signing.sigv4_moment(time.time() + sign.get("skew", 0))
    scope = f"{sign.get('scope_date', moment[:8])}/ap-guangzhou/{sign.get('service', 's3')}/aws4_request"
    if sign["mode"] == "sigv4":
        payload = sign.get("payload", hashlib.sha256(recipe.body).hexdigest())
        recipe.headers += [(b"x-amz-date", moment.encode()), (b"x-amz-content-sha256", payload.encode())]
        default = [name.lower().decode() for name, _ in recipe.headers if name.lower().startswith((b"host", b"x-amz-"))]
        listed = sorted(sign.get("headers", default))
        recipe.signature = _sigv4(recipe, key, listed, moment, scope, payload)
        value = _spoiled(recipe.signature, sign.get("signature"))
        recipe.headers.append(
            (
                b"Authorization",
                f"{signing.ALGORITHM} Credential={key['ak']}/{scope}, SignedHeaders={';'.join(listed)}, "
                f"Signature={value}".encode("latin-1"),
            )
        )
        return
    listed = sorted(sign.get("headers", ["host"]))
    fields = {
        "X-Amz-Algorithm": signing.ALGORITHM,
        "X-Amz-Credential": f"{key['ak']}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(sign.get("expires", "600")),
        "X-Amz-SignedHeaders": ";".join(listed),
    }
    fields.pop(sign.get("drop", ""), None)
    added = "&".join(f"{name}={signing.encode(value.encode('latin-1'))}" for name, value in fields.items())
    recipe.raw_query = b"&".join(part for part in (recipe.raw_query, added.encode()) if part)
    recipe.signature = _sigv4(recipe, key, listed, moment, scope, sign.get("payload", signing.UNSIGNED_PAYLOAD))
    if sign.get("drop") != "X-Amz-Signature":
        recipe.raw_query += f"&X-Amz-Signature={_spoiled(recipe.signature, sign.get('signature'))}".encode("latin-1")


def _sigv4(recipe: Recipe, key: Mapping[str, str], listed: list[str], moment: str, scope: str, payload: str) -> str:
    signable = signing.Signable(
        recipe.method,
        recipe.raw_path,
        signing.split_query(recipe.raw_query),
        [(name.lower(), value) for name, value in recipe.headers],
    )
    return signing.sigv4_signature(key["sk"], signable, header_list=listed, moment=moment, scope=scope, payload=payload)


def _window(now: int, offsets: list[int]) -> str:
    return f"{now + offsets[0]};{now + offsets[1]}"


def _spoiled(signature: str, how: str | None) -> str:
    match how:
        case None:
            return signature
        case "empty":
            return ""
        case "prefix20":
            return signature[:20]
        case "huge":
            return "a" * 1_048_576
        case "nonascii":
            return signature[:-1] + "\xe9"
        case "flip":
            return ("1" if signature[0] == "0" else "0") + signature[1:]
    raise ValueError(f"unknown spoiling {how!r}")


# --- framing, tampering, rendering ----------------------------------------------------------------------------


def _frame(recipe: Recipe, text: Any) -> None:
    wire = recipe.wire
    if wire.get("chunked"):
        recipe.headers.append((b"Transfer-Encoding", b"chunked"))
    elif "content_length" in wire:
        recipe.headers.append((b"Content-Length", text(str(wire["content_length"]))))
    elif not wire.get("no_auto_framing") and (recipe.body or recipe.method in ("PUT", "POST")):
        recipe.headers.append((b"Content-Length", b"%d" % len(recipe.body)))


def _tamper(recipe: Recipe, steps: list[list[str]], text: Any) -> None:
    for operation, *arguments in steps:
        given = [text(argument) for argument in arguments]
        match operation:
            case "set":
                held = [name.lower() for name, _ in recipe.headers]
                recipe.headers[held.index(given[0].lower())] = (given[0], given[1])
            case "add":
                recipe.headers.append((given[0], given[1]))
            case "prepend":
                recipe.headers.insert(0, (given[0], given[1]))
            case "del":
                recipe.headers = [pair for pair in recipe.headers if pair[0].lower() != given[0].lower()]
            case "method":
                recipe.method = arguments[0]
            case "path":
                recipe.raw_path = given[0]
            case "query_append":
                recipe.raw_query += given[0] if recipe.raw_query else given[0].lstrip(b"&")
            case "query_replace":
                recipe.raw_query = recipe.raw_query.replace(given[0], given[1])
            case "target":
                recipe.target = given[0]
            case "version":
                recipe.version = given[0]
            case "raw_replace":
                pass
            case _:
                raise ValueError(f"unknown step {operation!r}")


def _render(recipe: Recipe, steps: list[list[str]], text: Any) -> None:
    wire = recipe.wire
    target = recipe.target or recipe.raw_path + (b"?" + recipe.raw_query if recipe.raw_query else b"")
    lines = [b" ".join((recipe.method.encode("latin-1"), target, recipe.version))]
    lines += [b"%s: %s" % pair for pair in recipe.headers]
    lines += [text(line) for line in wire.get("raw_headers", [])]
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    for operation, *arguments in steps:
        if operation == "raw_replace":
            head = head.replace(text(arguments[0]), text(arguments[1]))
    body = text(wire["raw_body"]) if "raw_body" in wire else recipe.body
    if wire.get("chunked"):
        trailers = b"".join(text(line) + b"\r\n" for line in wire.get("trailers", []))
        body = b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(recipe.body), recipe.body, trailers)
    elif "raw_body" in wire:
        # What reaches the upstream is the body this framing describes.
        recipe.body = _first_chunk(body) if b"chunked" in head.lower() else body
    recipe.raw = head + body


def _first_chunk(body: bytes) -> bytes:
    size, _, rest = body.partition(b"\r\n")
    digits = re.match(rb"[0-9a-fA-F]+", size)
    return rest[: int(digits[0], 16)] if digits else b""
