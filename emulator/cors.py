"""OPTIONS on an object: the first CORS rule of the bucket that fits the preflight, or 403. And what browsers read off
the answer to the request that follows.

Source: COS API, "OPTIONS Object", "PUT Bucket cors".
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from cos.errors import COSError
from cos.request import Request
from cos.xml import Element, parse_xml
from emulator.body import MAX_DOCUMENT_BYTES
from emulator.exchange import Exchange, Response
from emulator.store.model import NULL_VERSION
from emulator.store.ports import Store
from emulator.store.tables import Tables


async def options_object(exchange: Exchange) -> Response:
    """Answer a preflight. Raises COSError(AccessDenied, InvalidRequest)."""
    headers = exchange.request.headers
    origin = headers.text(b"origin") or ""
    method = headers.text(b"access-control-request-method") or ""
    asked = [name.strip().lower() for name in (headers.text(b"access-control-request-headers") or "").split(",")]
    asked = [name for name in asked if name]
    if not origin or not method:
        raise COSError("InvalidRequest", "Expected Origin and Access-Control-Request-Method.")

    def work(tables: Tables) -> bytes | None:
        bucket = exchange.require_bucket(tables)
        return tables.documents.get(bucket.name, "", NULL_VERSION, "cors")

    document = await exchange.store.transact(work)
    for rule in _rules(document):
        if _fits(rule, origin, method, asked):
            return Response(200, _headers(rule, origin, asked))
    raise COSError("AccessDenied", "No CORS rule of the bucket allows this request.")


async def origin_headers(store: Store, bucket: str, request: Request) -> list[tuple[str, str]]:
    """What the answer to a request from a browser's page says of the page's origin; empty when no rule fits."""
    origin = request.headers.text(b"origin")
    if not origin or request.method == "OPTIONS":
        return []
    document = await store.transact(lambda tables: tables.documents.get(bucket, "", NULL_VERSION, "cors"))
    for rule in _rules(document):
        if _fits(rule, origin, request.method, []):
            return [*_headers(rule, origin, []), ("vary", "Origin")]
    return []


def _rules(document: bytes | None) -> list[Element]:
    return parse_xml(document, max_bytes=MAX_DOCUMENT_BYTES).all("CORSRule") if document is not None else []


def _fits(rule: Element, origin: str, method: str, asked: list[str]) -> bool:
    allowed_headers = [_pattern(item.text) for item in rule.all("AllowedHeader")]
    return (
        any(fnmatchcase(origin, _pattern(item.text)) for item in rule.all("AllowedOrigin"))
        and any(item.text.strip() == method for item in rule.all("AllowedMethod"))
        and all(any(fnmatchcase(name, pattern.lower()) for pattern in allowed_headers) for name in asked)
    )


def _pattern(text: str) -> str:
    # `*` is the only wildcard; the other characters fnmatch gives a meaning are plain.
    return text.strip().replace("[", "[[]").replace("?", "[?]")


def _headers(rule: Element, origin: str, asked: list[str]) -> list[tuple[str, str]]:
    headers = [
        ("access-control-allow-origin", origin),
        ("access-control-allow-methods", ", ".join(item.text.strip() for item in rule.all("AllowedMethod"))),
    ]
    if asked:
        headers.append(("access-control-allow-headers", ", ".join(asked)))
    exposed = [item.text.strip() for item in rule.all("ExposeHeader")]
    if exposed:
        headers.append(("access-control-expose-headers", ", ".join(exposed)))
    if rule.text_of("MaxAgeSeconds"):
        headers.append(("access-control-max-age", rule.text_of("MaxAgeSeconds").strip()))
    return headers
