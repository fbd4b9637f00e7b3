"""One request, top to bottom: the file to read first.

`_walk` is the request's whole life in fourteen numbered steps, and their order is the security: nothing is
sent and no COS secret is touched before the caller is proved (5) and the call is allowed (9) and its intent
is durable (10). Every operation takes this walk; there is no other way through the gateway.

`handle` has the gateway's only `except Exception` (the evaluator has one more: a rule that raises denies), and the
only place that answers with an error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import structlog

from cos.address import Domains, parse_address
from cos.calls import Call, ObjectCall, read_call
from cos.documents import MAX_DOCUMENT_BYTES, read_delete_objects
from cos.errors import COSError
from cos.operations import Body, find_operation
from cos.request import Dialect, read_request
from cos.rewrite import rewrite, with_content_md5, with_controls
from cos.signing import read_claim, with_hoisted_headers
from gateway.asked import access_request
from gateway.audit_fields import described
from gateway.authenticate import Authenticator
from gateway.authorize import Authorizer
from gateway.context import Context
from gateway.decision_record import add_decision
from gateway.dry_run import answer_dry_run, read_dry_run
from gateway.errors import as_cos_error, error_body, error_headers
from gateway.exchange import ClientGone, Exchange
from gateway.form_upload import admit_form
from gateway.forward import Forwarder
from gateway.limits import InFlight
from gateway.ports import AuditUnavailable, Outcome, PortError, RequestAuditLog
from gateway.process.busy_polling import BusyPoller
from gateway.relay import RESULT_ROOTS, Relay
from gateway.repeated import RepeatedCompletions
from gateway.telemetry import Telemetry
from policies.decision import Verdict
from policies.request import AccessRequest

# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_FORM, _DOCUMENT, _STREAM, _S3, _ALLOW = Body.FORM, Body.DOCUMENT, Body.STREAM, Dialect.S3, Verdict.ALLOW
_INTENT = {"type": "intent"}


class Pipeline:
    """Handles every request of the data port."""

    def __init__(
        self,
        *,
        domains: Domains,
        authenticator: Authenticator,
        authorizer: Authorizer,
        in_flight: InFlight,
        audit: RequestAuditLog,
        forwarder: Forwarder,
        relay: Relay,
        telemetry: Telemetry,
        copy_timeout_seconds: float,
    ) -> None:
        self._domains = domains
        self._authenticator = authenticator
        self._accepts_sigv2 = authenticator.accepts_sigv2
        self._authorizer = authorizer
        self._in_flight = in_flight
        self._audit = audit
        self._forwarder = forwarder
        self._repeated = RepeatedCompletions(forwarder, audit.record)
        self._relay = relay
        self._telemetry = telemetry
        self._response_timeouts = dict.fromkeys(RESULT_ROOTS, copy_timeout_seconds)
        """By operation, of those that COS takes its time for; the others have the transport's own."""
        # For who has one request at a time; with more the loop seldom has nothing to do.
        self._next_request, self._next_response = BusyPoller(), BusyPoller()
        self._log = structlog.get_logger("gateway.pipeline")

    async def handle(self, exchange: Exchange) -> None:
        """Answer one exchange: with COS's answer, or with one clear error. Never raises but on cancellation."""
        context = Context(exchange.request_id, exchange.client_address, exchange.certificate)
        result = "failed"
        self._next_request.arrived()
        try:
            await self._walk(exchange, context)
            result = "completed" if context.error_code is None else "failed"
        except (ClientGone, asyncio.CancelledError):
            result = "client_aborted"
            raise
        except COSError as refusal:
            result = await self._refuse(exchange, context, refusal)
        except PortError as failure:
            self._log.warning("port failed", request_id=context.request_id, reason=str(failure))
            if isinstance(failure, AuditUnavailable):
                self._telemetry.audit_refusals += 1
            result = await self._refuse(exchange, context, as_cos_error(failure))
        except Exception:  # noqa: BLE001  # the one place: whatever went wrong, the caller is refused and we know
            self._log.exception("unexpected failure", request_id=context.request_id)
            result = await self._refuse(exchange, context, COSError("InternalError"))
        finally:
            self._conclude(exchange, context, result)
            if not self._in_flight.count:
                self._next_request.expect()

    async def _walk(self, exchange: Exchange, context: Context) -> None:
        now, client, certificate = time.time(), exchange.client_address, exchange.certificate

        # 1  Raw bytes become one immutable request; whatever has two meanings is refused.
        received = read_request(exchange.method, exchange.raw_target, exchange.headers)
        request = context.request = with_hoisted_headers(received)

        # 2  Host and path name a bucket and a key.
        address = context.address = parse_address(request.host, request.target.path, self._domains)

        # 3  Method, level and sub-resource name one operation of the closed table.
        operation = context.operation = find_operation(request, address.level)

        # 4  The signature says who claims to be calling, and what it covers …
        # 5  … and is proved, or nothing further happens.
        if operation.body is _FORM:
            caller, form = await admit_form(exchange, request, address, self._authenticator, now=now)
            context.caller, context.form, context.scheme = caller, form, form.scheme
            request, address = context.request, context.address = form.request, form.address
        elif request.method == "OPTIONS" and (anybody := self._authenticator.preflight(request, client_address=client)):
            caller = context.caller = anybody
        elif certificate is not None and (
            holder := self._authenticator.unsigned(received, certificate, now=now, client_address=client)
        ):
            caller = context.caller = holder
            exchange.payload = self._authenticator.open_payload(request, operation, None)
            context.dry_run = read_dry_run(request, None)
        else:
            claim = read_claim(received, sigv2_at=address if self._accepts_sigv2 else None)
            context.scheme = claim.terms.scheme
            caller = context.caller = self._authenticator.authenticate(
                received,
                address.level,
                claim,
                now=now,
                client_address=client,
                certificate=certificate,
            )
            exchange.payload = self._authenticator.open_payload(request, operation, claim)
            context.dry_run = read_dry_run(request, claim)

        # 6  Only so much at once, in all and for one principal.
        self._in_flight.admit(caller.principal)
        try:
            # 7  The operation's arguments, typed; buckets are looked up in the registry, not in the text.
            call = context.call = read_call(request, address, operation, self._domains)
            ends = self._authorizer.resolve(context, address, call)

            # 8, 9  Policy judges the call; a fact (the source's size) is measured only if a rule hinges on it.
            asked = access_request(request, caller, call, ends, now=now)
            body: AsyncIterator[bytes] | bytes = b""
            if operation.body is _DOCUMENT:
                body = await self._judged_document(exchange, context, call, asked)
            else:
                needs = self._authorizer.judge(context, asked)
                if needs:
                    await self._authorizer.judge_measured(context, needs)
                # A copy has no body of its own, unless it promised one.
                if (exchange.payload is not None or isinstance(call, ObjectCall)) and not context.dry_run:
                    body = await self._body(exchange, call)
            if context.dry_run:
                await answer_dry_run(exchange, context, self._authorizer.reason_detail)
                return

            # 10  The intent is durable, or nothing is sent.
            intended = context.intended = described(context)
            await self._audit.record(_INTENT, intended)
            context.asked = None

            # 11, 12, 13  The upstream request is rendered from what was judged, signed with a credential
            #             that is opened now, and sent.
            upstream_request = rewrite(request, call, region=ends.region, source_region=ends.source_region)
            if context.decision is not None and context.decision.amendments:
                added = [(amendment.name, amendment.value) for amendment in context.decision.amendments]
                upstream_request = with_controls(upstream_request, request.dialect, added)
            if operation.body is _DOCUMENT and request.dialect is _S3 and isinstance(body, bytes):
                # COS wants a Content-MD5 that S3 clients of today no longer send; its own clients do.
                upstream_request = with_content_md5(upstream_request, body)
            if self._in_flight.count == 1:
                self._next_response.expect()
            response = await self._forwarder.send(
                upstream_request,
                body,
                bucket=ends.bucket,
                source=ends.source_bucket,
                dialect=request.dialect,
                replayable=operation.replayable,
                response_timeout_seconds=self._response_timeouts.get(operation.name),
            )

            self._next_response.arrived()

            # 14  The answer goes back; an error inside a 200 becomes a real one.
            try:
                if operation.name == "CompleteMultipartUpload" and isinstance(body, bytes):
                    response = await self._repeated.answer(context, upstream_request, body, response)
                await self._relay.relay(context, response, exchange)
            finally:
                await response.aclose()
        finally:
            self._in_flight.leave(caller.principal)

    async def _judged_document(
        self, exchange: Exchange, context: Context, call: Call, asked: AccessRequest
    ) -> AsyncIterator[bytes] | bytes:
        """The document that an allowed call sends. The bytes that were judged are those that are sent."""
        if call.operation.name == "DeleteMultipleObjects":
            # It names the objects: each of them is judged, instead of the bucket.
            document = await self._document(exchange, call)
            self._authorizer.authorize_deletes(context, asked, read_delete_objects(document).objects)
            return document
        if call.operation.name == "CompleteMultipartUpload":
            # It names the parts: how large the object becomes may be policy's business.
            document = await self._document(exchange, call)
            needs = self._authorizer.judge(context, asked)
            if needs:
                await self._authorizer.judge_measured(context, needs, document)
            return document
        needs = self._authorizer.judge(context, asked)
        if needs:
            await self._authorizer.judge_measured(context, needs)
        return b"" if context.dry_run else await self._body(exchange, call)

    async def _document(self, exchange: Exchange, call: Call) -> bytes:
        """A bounded document, read whole."""
        declared_bytes = call.body_bytes if isinstance(call, ObjectCall) else None
        return await exchange.read_body(MAX_DOCUMENT_BYTES, declared_bytes=declared_bytes)

    async def _body(self, exchange: Exchange, call: Call) -> AsyncIterator[bytes] | bytes:
        """The request body to send: streamed unread, or a bounded document read whole."""
        if not isinstance(call, ObjectCall) or call.body_bytes == 0:
            # Even nothing may have been promised: the hash of it, or a last chunk and its trailer.
            return await exchange.read_body(0) if exchange.payload is not None else b""
        if call.operation.body in (_STREAM, _FORM):
            return exchange.body()
        return await self._document(exchange, call)

    async def _refuse(self, exchange: Exchange, context: Context, error: COSError) -> str:
        """Answer with an error, or break the connection visibly when an answer has already begun."""
        context.error_code = error.code
        self._telemetry.refused(error.code)
        if exchange.status is not None:
            exchange.abort()
            return "failed"
        body = error_body(error, resource=context.resource, request_id=context.request_id)
        headers = error_headers(error, context.request_id)
        if context.decision_id is not None:
            headers.append((b"x-cosgw-decision-id", context.decision_id.encode("ascii")))
        headers.append((b"content-length", b"%d" % len(body)))
        if error.status == 400 or context.request is None:
            # What could not be read may be followed by bytes that were never meant as a request.
            headers.append((b"connection", b"close"))
        await exchange.answer(error.status, headers, body)
        return "refused" if context.upstream_status is None else "failed"

    def _conclude(self, exchange: Exchange, context: Context, result: str) -> None:
        """One audit line of what became of it, one log line, the metrics."""
        now, microseconds = datetime.now(UTC), round((time.monotonic() - exchange.started) * 1_000_000)
        outcome = Outcome(
            now,
            result,
            exchange.status,
            context.error_code,
            context.upstream_status,
            context.upstream_request_id,
            exchange.bytes_in,
            exchange.bytes_out,
            microseconds / 1_000_000,
        )
        if context.repeated:
            outcome.repeated = True
        if (decision := context.decision) is not None and (
            decision.verdict is not _ALLOW or decision.rehearsed is not None or decision.errors
        ):
            add_decision(outcome, decision)
            if decision.errors:
                self._log.error("rules failed", request_id=context.request_id, errors=outcome.errors)
        self._audit.conclude(outcome, context.intended or described(context))
        self._telemetry.answered(context, outcome)
