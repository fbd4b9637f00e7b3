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
from cos.signing.encoding import decode_name, encode_name, encode_value
from cos.signing.hosts import bare_host
from cos.signing.keyed import Digest, KeyedDigest
from cos.signing.q_sign_template import HttpTemplate
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


def started_key(secret_key: str, key_time: str) -> KeyedDigest:
    """What signs a string to sign."""
    return KeyedDigest(sign_key(secret_key, key_time).encode(), Digest.SHA1)


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
    held = sign_keys.find((secret_key, terms.key_time)) if sign_keys is not None else None
    key = held or started_key(secret_key, terms.key_time)
    http_text = _http_string(request, claim)
    to_sign = string_to_sign(terms.sign_time, http_text)
    if not hmac.compare_digest(key.sign(to_sign), claim.signature):
        _verify_without_port(request, claim, terms, key, to_sign, http_text)
    if held is None and sign_keys is not None:
        sign_keys.keep(secret_key, terms.key_time, key)


def _verify_without_port(
    request: Request, claim: Claim, terms: QSignTerms, key: KeyedDigest, to_sign: str, http_text: bytes
) -> None:
    """The same once more with the other reading of the host, if there is one and it is signed."""
    host = bare_host(request.headers.get(b"host") or b"")
    if host is not None and "host" in claim.signed_headers:
        http_text = _http_string(request, claim, host)
        to_sign = string_to_sign(terms.sign_time, http_text)
        if hmac.compare_digest(key.sign(to_sign), claim.signature):
            return
    details = (("StringToSign", to_sign), ("FormatString", _without_secrets(http_text)))
    raise COSError("SignatureDoesNotMatch", details=details)


def _http_string(request: Request, claim: Claim, host: bytes | None = None) -> bytes:
    """The HTTP string of what the claim lists; `host` stands for the Host header. Raises COSError(AccessDenied)."""
    headers, target, listed = request.headers, request.target, claim.signed_parameters or ()
    template = _find_template(request.method, listed, target.query_names, claim.signed_headers, headers.known)
    if template is None:
        covered: dict[str, Sequence[bytes]] = {
            name: headers.get_all(decode_name(name)) for name in claim.signed_headers
        }
        if host is not None:
            covered["host"] = (host,)
        parameters = http_parameters(listed, target.query)
        return http_string(request.method, target.path, parameters, http_headers(claim.signed_headers, covered))
    values = headers.values
    if host is not None:
        values = tuple([host if name == b"host" else value for name, value in headers])
    return template.fill(target.path, target.query_values, values)


@lru_cache(maxsize=256)  # names alone
def _find_template(
    method: str,
    listed_parameters: tuple[str, ...],
    names: tuple[str, ...],
    listed_headers: tuple[str, ...],
    known: FieldNames,
) -> HttpTemplate | None:
    """The template for requests of these names; None unless every listed name is there once and listed once."""
    canonical = [encode_name(name.encode()) for name in names]
    fields = [decode_name(name) for name in listed_headers]
    # A parameter that is never covered, or is in two spellings, is for the documented steps.
    if TOKEN_NAME in listed_parameters or not CARRIER_PARAMETERS.isdisjoint(listed_parameters):
        return None
    if not (_are_once_each(listed_parameters, canonical) and _are_once_each(fields, known.names)):
        return None
    parameters = [(name, canonical.index(name)) for name in listed_parameters]
    placed = [(listed, known.names.index(name)) for listed, name in zip(listed_headers, fields, strict=True)]
    return HttpTemplate(method, parameters, placed)


def _are_once_each(wanted: Sequence[object], given: Sequence[object]) -> bool:
    return len(set(wanted)) == len(wanted) and all(given.count(item) == 1 for item in wanted)


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
