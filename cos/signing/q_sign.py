"""The COS request signature, `q-sign-algorithm=sha1`: its intermediate strings, and verification.

    sign_key       = hex(HMAC-SHA1(secret_key, key_time))
    http_string    = method ⏎ path ⏎ parameters ⏎ headers ⏎        (FormatString on the wire)
    string_to_sign = "sha1" ⏎ sign_time ⏎ hex(SHA1(http_string)) ⏎
    signature      = hex(HMAC-SHA1(sign_key, string_to_sign))       (the key is the hex text)

The signer chooses which headers and parameters are covered, and the two lists are themselves not covered:
`coverage` decides what a caller must have signed.

Source: COS API, "Request Signature" (436/7778) and "POST Object" (436/14690); reference page §1.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from cos.errors import COSError
from cos.headers import FieldNames
from cos.request import Request
from cos.signing.claim import Claim, QSignTerms
from cos.signing.encoding import decode_name, encode_name, encode_value, encode_values
from cos.signing.hosts import host_readings
from cos.signing.keyed import Digest, KeyedDigest
from cos.signing.sign_keys import SignKeys
from cos.target import Parameter

TOKEN_NAME = "x-cos-security-token"  # noqa: S105  # a header's name
CARRIER_PARAMETERS = frozenset(
    {
        "q-sign-algorithm",
        "q-ak",
        "q-sign-time",
        "q-key-time",
        "q-header-list",
        "q-url-param-list",
        "q-signature",
        "sign",
    }
)
"""Query parameters that are the signature itself and therefore never covered by it."""

# Shown to nobody, not even to the caller who sent them, when the strings to compare are reported.
_SECRET_HEADERS = frozenset(
    {
        TOKEN_NAME,
        "x-cos-server-side-encryption-customer-key",
        "x-cos-copy-source-server-side-encryption-customer-key",
    }
)


# --- the intermediate strings, in the order they are made ---------------------------------------------------


def sign_key(secret_key: str, key_time: str) -> str:
    """40 hex digits. `key_time` is `start;end` exactly as written in q-key-time."""
    return hmac.digest(secret_key.encode(), key_time.encode(), "sha1").hex()


def http_parameters(listed: Sequence[str], query: Iterable[Parameter]) -> str:
    """`partnumber=1&uploadid=1505706248ca83`: every listed parameter with its values, in list order.

    Names fold case, values of a repeated name are sorted. Raises COSError(AccessDenied) when a listed name is
    not in the query, or is listed twice without being there twice.
    """
    if not listed:
        return ""
    values: dict[str, list[bytes]] = {}
    for name, value in query:
        if name not in CARRIER_PARAMETERS:
            if name == TOKEN_NAME:
                # The Node SDK leaves `+` unescaped in the token; a token has no space.
                value = value.replace(" ", "+")
            values.setdefault(encode_name(name.encode()), []).append(value.encode())
    return _pairs(listed, values)


def http_pairs(names: Sequence[str], values: Sequence[bytes]) -> str:
    """The same of canonical names in list order, each with its raw value."""
    return "&".join(map("=".join, zip(names, encode_values(values), strict=True)))


def http_headers(listed: Sequence[str], headers: Mapping[str, Sequence[bytes]]) -> str:
    """`content-length=0&host=…&x-cos-copy-source=…`: every listed header with its values, in list order.

    `headers` maps canonical names to raw values; a header without value is `name=`. Raises as `http_parameters`.
    """
    return _pairs(listed, headers)


def http_string(method: str, path: bytes, parameters: str, headers: str) -> bytes:
    """Four lines, each ended by LF; the path is percent-decoded and raw, the method lower-case."""
    return b"%b\n%b\n%b\n%b\n" % (method.lower().encode(), path, parameters.encode(), headers.encode())


def string_to_sign(sign_time: str, http_text: bytes) -> str:
    """`sha1⏎1557989151;1557996351⏎8b2751e77f43a0995d6e9eb9477f4b685cca4172⏎`."""
    digest = hashlib.sha1(http_text).hexdigest()  # noqa: S324  # the protocol's digest
    return f"sha1\n{sign_time}\n{digest}\n"


def signature(key: str, text: str) -> str:
    """40 hex digits: the sign key's hex text is the HMAC key, `text` the string to sign."""
    return hmac.digest(key.encode(), text.encode(), "sha1").hex()


def started_key(secret_key: str, key_time: str, sign_keys: SignKeys | None) -> KeyedDigest:
    """What signs a string to sign."""
    held = sign_keys.find(secret_key, key_time) if sign_keys is not None else None
    return held if held is not None else KeyedDigest(sign_key(secret_key, key_time).encode(), Digest.SHA1)


def post_object_string_to_sign(policy: bytes) -> str:
    """40 hex digits: the SHA-1 of the form's policy, a JSON text, before it was base64-encoded."""
    return hashlib.sha1(policy).hexdigest()  # noqa: S324  # the protocol's digest


def post_object_signature(secret_key: str, key_time: str, policy: bytes) -> str:
    """The q-signature field of a form upload (POST Object)."""
    return signature(sign_key(secret_key, key_time), post_object_string_to_sign(policy))


# --- verification -------------------------------------------------------------------------------------------


def verify(request: Request, claim: Claim, terms: QSignTerms, secret_key: str, sign_keys: SignKeys | None) -> None:
    """Sign the request again as claimed and compare in constant time.

    The host matches as received or without its port. Raises COSError(SignatureDoesNotMatch, AccessDenied).
    """
    key = started_key(secret_key, terms.key_time, sign_keys)
    parameters = _signed_parameters(claim.signed_parameters or (), request)
    claimed = claim.signature.encode()
    for host in host_readings(request):
        headers = _signed_headers(claim.signed_headers, request, host)
        http_text = http_string(request.method, request.target.path, parameters, headers)
        to_sign = string_to_sign(terms.sign_time, http_text)
        if hmac.compare_digest(key.sign(to_sign).encode(), claimed):
            if sign_keys is not None:
                sign_keys.keep(secret_key, terms.key_time, key)
            return
        if "host" not in claim.signed_headers:
            break
    raise COSError(
        "SignatureDoesNotMatch",
        details=(("StringToSign", to_sign), ("FormatString", _without_secrets(http_text))),
    )


def _signed_parameters(listed: tuple[str, ...], request: Request) -> str:
    query = request.target.query
    places = _places_of_parameters(listed, request.target.names())
    if places is None:
        return http_parameters(listed, query)
    return http_pairs(listed, [query[place].value.encode() for place in places])


def _signed_headers(listed: tuple[str, ...], request: Request, host: bytes) -> str:
    """`host` stands for the value of that field: one of the readings of it."""
    fields = request.headers.fields
    places = _places_of_headers(listed, request.headers.known)
    if places is not None:
        return http_pairs(listed, [host if place < 0 else fields[place][1] for place in places])
    headers: dict[str, Sequence[bytes]] = {name: request.headers.get_all(decode_name(name)) for name in listed}
    if "host" in headers:
        headers["host"] = (host,)
    return http_headers(listed, headers)


@lru_cache(maxsize=256)
def _places_of_parameters(listed: tuple[str, ...], names: tuple[str, ...]) -> tuple[int, ...] | None:
    """Where in the query each listed parameter is; None unless every one is there once, is listed once and is plain."""
    canonical = [encode_name(name.encode()) for name in names]
    if len(set(listed)) != len(listed) or TOKEN_NAME in listed or not CARRIER_PARAMETERS.isdisjoint(listed):
        return None
    return tuple(map(canonical.index, listed)) if all(canonical.count(name) == 1 for name in listed) else None


@lru_cache(maxsize=256)
def _places_of_headers(listed: tuple[str, ...], known: FieldNames) -> tuple[int, ...] | None:
    """The same of header fields; -1 stands for the host."""
    names = [decode_name(name) for name in listed]
    if len(set(names)) != len(names) or any(known.names.count(name) != 1 for name in names):
        return None
    return tuple(-1 if name == b"host" else known.names.index(name) for name in names)


def _pairs(listed: Sequence[str], values: Mapping[str, Sequence[bytes]]) -> str:
    """`name=value` for every listed name, joined by `&`."""
    pairs = []
    names = listed
    if len(set(listed)) != len(listed):
        # The Go SDK lists a repeated name once per value; any other repetition is a trick.
        names = tuple(dict.fromkeys(listed))
        for name in names:
            if listed.count(name) not in (1, len(values.get(name, ()))):
                raise COSError("AccessDenied", f"Expected {name[:60]!r} to be listed once in the signature.")
    for name in names:
        found = values.get(name)
        if not found:
            raise COSError("AccessDenied", f"Expected {name[:60]!r}, which the signature lists, in the request.")
        if len(found) == 1:
            pairs.append(f"{name}={encode_value(found[0])}")
        else:
            pairs += [f"{name}={encode_value(value)}" for value in sorted(found)]
    return "&".join(pairs)


def _without_secrets(http_text: bytes) -> str:
    """The HTTP string as text to show, with the values of secret headers and of the token hidden."""
    lines = http_text.decode("utf-8", "replace").split("\n")
    # The path may hold line feeds; parameters and headers are the last two lines and hold none.
    for index in (-3, -2):
        pairs = [pair.partition("=") for pair in lines[index].split("&")]
        lines[index] = "&".join(
            f"{name}{equals}{'***' if name in _SECRET_HEADERS else value}" for name, equals, value in pairs
        )
    return "\n".join(lines)
