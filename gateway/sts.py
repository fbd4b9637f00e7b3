"""The port that issues sessions: two calls, and nothing else.

    POST /v1/session        signed with an access key           {"DurationSeconds": 900, "Policy": {…}}
    POST /v1/session/oidc   {"Token": "<identity token>"}       the same two beside it

    200 {"TmpSecretId": "GWTK…", "TmpSecretKey": "…", "Token": "…", "ExpiredTime": 1785585600, "Expiration": "…Z"}

A refusal is `{"Error": {"Code": …, "Message": …}, "RequestId": …}`. The body of a signed call must be what was signed:
q-sign signs headers only, so the body's SHA-256 stands in `x-cos-content-sha256` (SigV4: x-amz-content-sha256).

Decision: docs/adr/0014-a-port-for-sessions.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cos.address import Level
from cos.errors import COSError
from cos.request import Request as SignedRequest
from cos.request import read_request
from cos.signing import Carrier, Scheme, read_claim
from gateway.authenticate import Authenticator
from gateway.errors import as_cos_error
from gateway.identifiers import new_request_id
from gateway.limits import FailedProofs
from gateway.ports import AccessKeys, AuditLog, PortError
from gateway.sessions.issue import Asked, IssuedSession, RefusedSession, SessionDesk
from gateway.sessions.jwks import ProviderUnavailable
from gateway.sessions.jwt import MAX_TOKEN_CHARACTERS, RefusedToken
from gateway.sessions.providers import Providers
from policies.narrowing import Narrowing, parse_narrowing
from policies.problems import PolicyErrors
from policies.regions import Territories

MAX_BODY_BYTES = MAX_TOKEN_CHARACTERS + 16 * 1024
BODY_SECONDS = 10.0
"""How long a body may take to arrive."""
NOTHING_SHA256 = hashlib.sha256(b"").hexdigest()

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": "cos-gateway"}
_log = structlog.get_logger("gateway.sts")

Handler = Callable[[Request, str], Awaitable[IssuedSession]]


class SessionEndpoint:
    """The two calls. `keys` are the gateway's own: no session is issued for a session."""

    def __init__(
        self,
        *,
        keys: AccessKeys,
        authenticator: Authenticator,
        desk: SessionDesk,
        providers: Providers,
        audit: AuditLog,
        territories: Territories,
    ) -> None:
        self._keys = keys
        self._authenticator = authenticator
        self._desk = desk
        self._providers = providers
        self._audit = audit
        self._territories = territories
        self._failed = FailedProofs()

    async def for_key(self, request: Request, request_id: str) -> IssuedSession:
        """A session for whoever signed the request. Raises COSError, RefusedSession, PortError."""
        signed = read_request(request.method, _raw_target(request), request.scope["headers"])
        # A signature in a URL is made to be handed on; one that makes keys is not.
        claim = read_claim(signed)
        if claim.carrier is not Carrier.HEADER:
            raise COSError("AccessDenied", "Expected the signature in the Authorization header.")
        client = _client(request)
        caller = self._authenticator.authenticate(
            signed,
            Level.OBJECT,
            claim,
            now=time.time(),
            client_address=client,
            certificate=request.scope.get("certificate"),
        )
        body = await _read_body(request)
        declared = claim.payload_sha256 if claim.scheme is Scheme.SIGV4 else _declared_sha256(signed, body)
        if declared is None or not hmac.compare_digest(declared, hashlib.sha256(body).hexdigest()):
            raise COSError("AccessDenied", "Expected the SHA-256 of the body to be signed, and to be the body's.")
        fields = _read_fields(body, {"DurationSeconds", "Policy"})
        key = self._keys.find(caller.access_key_id)
        if key is None:
            raise COSError("InvalidAccessKeyId")
        return await self._desk.issue_for_key(key, self._asked(fields, client, request_id))

    async def for_identity(self, request: Request, request_id: str) -> IssuedSession:
        """A session for whom an identity token is about. Raises COSError, RefusedToken, RefusedSession, PortError."""
        client = _client(request)
        fields = _read_fields(await _read_body(request), {"Token", "DurationSeconds", "Policy"})
        token = fields.get("Token")
        if not isinstance(token, str):
            raise COSError("InvalidArgument", "Expected Token to be a text.")
        asked = self._asked(fields, client, request_id)
        try:
            identity = await self._providers.identify(token)
        except RefusedToken:
            if self._failed.are_too_many(client, now=time.time()):
                raise COSError("AccessDenied") from None
            raise
        return await self._desk.issue_for_identity(
            principal=identity.principal,
            provider=identity.provider,
            also={"subject": identity.subject},
            asked=asked,
        )

    def _asked(self, fields: Mapping[str, Any], client: str, request_id: str) -> Asked:
        seconds = fields.get("DurationSeconds")
        if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int)):
            raise COSError("InvalidArgument", "Expected DurationSeconds to be a whole number.")
        return Asked(seconds, self._narrowing(fields.get("Policy")), client, request_id)

    def _narrowing(self, policy: object) -> Narrowing | None:
        if policy is None:
            return None
        if not isinstance(policy, str | dict):
            raise COSError("InvalidArgument", "Expected Policy to be an object, or the text of one.")
        text = policy if isinstance(policy, str) else json.dumps(policy, ensure_ascii=False, separators=(",", ":"))
        try:
            return parse_narrowing(text, territories=self._territories)
        except PolicyErrors as wrong:
            raise COSError("InvalidArgument", "; ".join(map(str, wrong.errors[:8]))) from None

    async def answer(self, handle: Handler, request: Request) -> Response:
        """The answer to one call."""
        request_id = new_request_id()
        try:
            issued = await handle(request, request_id)
        except COSError as error:
            return self._refused(request, request_id, error.status, error.code, error.message)
        except RefusedToken as refused:
            return self._refused(request, request_id, 403, "InvalidIdentityToken", str(refused))
        except RefusedSession as refused:
            return self._refused(request, request_id, 400, "InvalidArgument", str(refused))
        except ProviderUnavailable as failure:
            _log.warning("port failed", request_id=request_id, reason=str(failure))
            message = "The keys of the identity provider cannot be had now."
            return self._refused(request, request_id, 503, "ServiceUnavailable", message)
        except PortError as failure:
            _log.warning("port failed", request_id=request_id, reason=str(failure))
            told = as_cos_error(failure)
            return self._refused(request, request_id, told.status, told.code, told.message)
        content = {
            "TmpSecretId": issued.id,
            "TmpSecretKey": issued.secret.reveal(),
            "Token": issued.token.reveal(),
            "ExpiredTime": int(issued.expires_at.timestamp()),
            "Expiration": issued.expires_at.isoformat().replace("+00:00", "Z"),
        }
        return JSONResponse(content, headers={**_HEADERS, "x-cos-request-id": request_id})

    def _refused(self, request: Request, request_id: str, status: int, code: str, message: str) -> Response:
        self._audit.note(
            {
                "type": "session_refused",
                "code": code,
                "reason": message[:512],
                "path": request.url.path,
                "client": _client(request),
                "request_id": request_id,
            }
        )
        return refusal(status, code, message, request_id)


def refusal(status: int, code: str, message: str, request_id: str) -> Response:
    """A refusal on the wire."""
    headers = {**_HEADERS, "x-cos-request-id": request_id}
    if status == 503:
        headers["Retry-After"] = "1"
    return JSONResponse(
        {"Error": {"Code": code, "Message": message}, "RequestId": request_id}, status_code=status, headers=headers
    )


def sts_app(endpoint: SessionEndpoint) -> Starlette:
    """The port's application."""

    async def session(request: Request) -> Response:
        return await endpoint.answer(endpoint.for_key, request)

    async def exchange(request: Request) -> Response:
        return await endpoint.answer(endpoint.for_identity, request)

    async def not_here(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        code = "MethodNotAllowed" if status == 405 else "NoSuchCall"
        return refusal(status, code, "Expected POST /v1/session or POST /v1/session/oidc.", new_request_id())

    return Starlette(
        routes=[
            Route("/v1/session", session, methods=["POST"]),
            Route("/v1/session/oidc", exchange, methods=["POST"]),
        ],
        exception_handlers={HTTPException: not_here},
    )


def _raw_target(request: Request) -> bytes:
    raw: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return raw + b"?" + query if query else raw


def _client(request: Request) -> str:
    return request.client.host if request.client is not None else ""


async def _read_body(request: Request) -> bytes:
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for portion in request.stream():
                raw += portion
                if len(raw) > MAX_BODY_BYTES:
                    raise COSError("EntityTooLarge", f"Expected a body of at most {MAX_BODY_BYTES} bytes.")
    except (TimeoutError, ClientDisconnect):
        raise COSError("RequestTimeout") from None
    return bytes(raw)


def _declared_sha256(signed: SignedRequest, body: bytes) -> str | None:
    """What a q-sign request says of its body; of no body it need not say anything."""
    declared = signed.headers.text(b"x-cos-content-sha256")
    return NOTHING_SHA256 if declared is None and not body else declared


def _read_fields(body: bytes, known: set[str]) -> Mapping[str, Any]:
    if not body:
        return {}
    try:
        fields = json.loads(body.decode("utf-8"), object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError):
        raise COSError("InvalidArgument", "Expected a JSON object that names each thing once.") from None
    if not isinstance(fields, dict) or not fields.keys() <= known:
        raise COSError("InvalidArgument", f"Expected a JSON object of {', '.join(sorted(known))}.")
    return fields


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found
