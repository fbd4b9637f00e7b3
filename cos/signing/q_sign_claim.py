"""Reading a COS signature off a request: from Authorization, from `q-*` parameters, or from one `sign=` parameter.

Every field is there exactly once and has exactly one spelling; anything else is refused, so that no other
reader can understand the same text differently.

Source: reference page §1.3.5, §1.4; threat model C3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from cos.characters import unchanged
from cos.errors import COSError
from cos.headers import printable_text
from cos.remembering import remembering
from cos.request import Request
from cos.signing.claim import Carrier, Claim, QSignTerms, Window
from cos.signing.encoding import decode_name, encode_name
from cos.signing.q_sign import TOKEN_NAME

# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_HEADER = Carrier.HEADER
MAX_AUTHORIZATION_CHARACTERS = 8 * 1024
MAX_LISTED_NAMES = 200

FIELDS = (
    "q-sign-algorithm",
    "q-ak",
    "q-sign-time",
    "q-key-time",
    "q-header-list",
    "q-url-param-list",
    "q-signature",
)

_FIELD_NAMES = frozenset(FIELDS)
_LAST_FIELD = b"&q-signature="
_TOKEN_HEADER = TOKEN_NAME.encode()
_TIME = re.compile(r"([0-9]{1,12});([0-9]{1,12})", re.ASCII)
ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{40}", re.ASCII)
_SIGNATURE_BYTES = 40
_SOME_SIGNATURE = _LAST_FIELD + b"0" * _SIGNATURE_BYTES
_HEXADECIMAL = unchanged(b"0123456789abcdef")
_PLAIN_LIST = re.compile(r"[a-z0-9._~-]+(?:;[a-z0-9._~-]+)*", re.ASCII)


class _Statement(NamedTuple):
    """What a signature says of itself; fields of `Claim`."""

    access_key_id: str
    window: Window
    signed_headers: tuple[str, ...]
    signed_parameters: tuple[str, ...]
    terms: QSignTerms


def read_header_claim(request: Request, authorization: bytes) -> Claim:
    """The claim of an Authorization header. Raises COSError(InvalidArgument, InvalidRequest, AccessDenied)."""
    statement, _, signature = authorization.rpartition(_LAST_FIELD)
    if len(signature) != _SIGNATURE_BYTES or signature.translate(_HEXADECIMAL) != signature:
        # Its fields are in another order than the documented one, or it is malformed.
        return _claim(request, _HEADER, parse_authorization(printable_text(b"authorization", authorization)))
    return Claim(_HEADER, *_read_before_signature(statement), signature.decode(), _read_token(request, _HEADER))


def read_query_claim(request: Request) -> Claim:
    """The claim of a presigned URL, in any of its three spellings. Raises COSError(InvalidArgument, AccessDenied)."""
    given: dict[str, str] = {}
    for name, value in request.target.query:
        if name in _FIELD_NAMES or name == "sign":
            if name in given:
                raise _malformed(f"one {name}")
            given[name] = value
    merged = given.pop("sign", None)
    if merged is not None:
        if given:
            raise COSError("AccessDenied", "Expected one signature in the query, got several.")
        given = parse_authorization(merged)
    return _claim(request, Carrier.QUERY, given)


def parse_authorization(text: str) -> dict[str, str]:
    """The seven fields of `q-sign-algorithm=sha1&q-ak=…&…`. Raises COSError(InvalidArgument)."""
    if len(text) > MAX_AUTHORIZATION_CHARACTERS:
        raise _malformed(f"a signature of at most {MAX_AUTHORIZATION_CHARACTERS} characters")
    pieces = [piece.partition("=") for piece in text.split("&", len(FIELDS))]
    fields = {name: value for name, _, value in pieces}
    if len(pieces) != len(FIELDS):
        raise _malformed("each of the seven fields of a signature once")
    return fields


def _claim(request: Request, carrier: Carrier, fields: Mapping[str, str]) -> Claim:
    return Claim(carrier, *_read_statement(fields), fields["q-signature"], _read_token(request, carrier))


@remembering(256)  # of one second, a client's signatures differ in their last field only
def _read_before_signature(raw: bytes) -> _Statement:
    """The statement in all fields but the last. Signatures are never remembered: one in this text is one too many."""
    return _read_statement(parse_authorization(printable_text(b"authorization", raw + _SOME_SIGNATURE)))


def _read_statement(fields: Mapping[str, str]) -> _Statement:
    if fields.keys() != _FIELD_NAMES:
        raise _malformed("each of the seven fields of a signature once")
    if fields["q-sign-algorithm"] != "sha1":
        raise _malformed("q-sign-algorithm=sha1")
    if ACCESS_KEY_ID.fullmatch(fields["q-ak"]) is None:
        raise _malformed("q-ak to be 1 to 128 letters, digits, '.', '_' or '-'")
    if _SIGNATURE.fullmatch(fields["q-signature"]) is None:
        raise _malformed("q-signature to be 40 lower-case hexadecimal digits")
    sign_window = read_window("q-sign-time", fields["q-sign-time"])
    same = fields["q-key-time"] == fields["q-sign-time"]
    key_window = sign_window if same else read_window("q-key-time", fields["q-key-time"])
    if sign_window.start < key_window.start or sign_window.end > key_window.end:
        raise COSError("AccessDenied", "Expected q-sign-time to lie inside q-key-time.")
    return _Statement(
        access_key_id=fields["q-ak"],
        window=sign_window,
        signed_headers=_read_list("q-header-list", fields["q-header-list"]),
        signed_parameters=_read_list("q-url-param-list", fields["q-url-param-list"]),
        terms=QSignTerms(fields["q-sign-time"], fields["q-key-time"], key_window),
    )


def read_window(name: str, text: str) -> Window:
    """`start;end` in Unix seconds; `name` is for the message. Raises COSError(InvalidArgument)."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise _malformed(f"{name} to be start;end in Unix seconds")
    window = Window(int(match[1]), int(match[2]))
    if window.start >= window.end:
        raise _malformed(f"{name} to end after it starts")
    return window


@lru_cache(maxsize=256)  # a pure function; a client's requests list the same names
def _read_list(field: str, text: str) -> tuple[str, ...]:
    """Canonical names in ascending order; a name may be repeated (Go lists one per value)."""
    if not text:
        return ()
    names = text.split(";")
    if len(names) > MAX_LISTED_NAMES:
        raise _malformed(f"{field} to list at most {MAX_LISTED_NAMES} names")
    if _PLAIN_LIST.fullmatch(text) is None:
        if "" in names or any("A" <= character <= "Z" for character in text):
            raise _malformed(f"{field} to be lower-case names joined by ';'")
        names = [_canonical(field, name) for name in names]
    if names != sorted(names):
        raise _malformed(f"{field} to be in ascending order")
    return tuple(names)


def _canonical(field: str, name: str) -> str:
    """One listed name as encoded text, whether or not the URL it came from had it escaped once more.

    The Node SDK puts the list into a URL as it is, so that decoding the query also decodes the names.
    """
    try:
        return encode_name(decode_name(name))
    except COSError:
        raise _malformed(f"{field} to be percent-encoded names") from None


def _read_token(request: Request, carrier: Carrier) -> str | None:
    """The security token, from the one place it is in. Raises COSError(AccessDenied, InvalidRequest)."""
    raw, in_query = request.headers.get(_TOKEN_HEADER), TOKEN_NAME in request.target.query_names
    if raw is None and not in_query:
        return None
    header = printable_text(_TOKEN_HEADER, raw) if raw is not None else None
    if not in_query:
        return header or None
    given = request.target.values(TOKEN_NAME)
    if len(given) > 1 or header is not None or carrier is Carrier.HEADER:
        raise COSError("AccessDenied", f"Expected {TOKEN_NAME} once, beside the signature.")
    # Node appends the token unescaped: the query's `+` is its own, and a token has no space.
    return given[0].replace(" ", "+") or None


def _malformed(expected: str) -> COSError:
    return COSError("InvalidArgument", f"Expected {expected}.")
