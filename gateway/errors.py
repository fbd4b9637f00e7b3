"""Refusals on the wire: one place renders every error the gateway itself gives.

Every body is flat XML with non-empty Code, Message, Resource, RequestId and TraceId, and every response
carries the request id, because SDKs without them retry, mis-report or leave the gateway for another domain
(reference page §0.5, §0.6).
"""

from __future__ import annotations

from cos.errors import COSError
from cos.xml import render_error
from gateway.identifiers import new_trace_id
from gateway.ports import (
    AuditUnavailable,
    CredentialUnavailable,
    NoCredentialForBoth,
    PortError,
    RegistryUnavailable,
    Sealed,
    StoreUnavailable,
    UpstreamBroken,
    UpstreamTimeout,
    UpstreamUnreachable,
)

RETRY_AFTER_SECONDS = 1
"""What a refused client is asked to wait after SlowDown or ServiceUnavailable."""


def as_cos_error(error: PortError) -> COSError:
    """What the caller is told when a port failed: never the port's own words, they describe our inside."""
    match error:
        case Sealed():
            return COSError("ServiceUnavailable", "The gateway is sealed: its master key has not been provided.")
        case NoCredentialForBoth():
            return COSError(
                "AccessDenied",
                "Access Denied: the gateway holds no credential that can read the source's account and write the "
                "destination's.",
            )
        case CredentialUnavailable():
            return COSError("ServiceUnavailable", "The gateway holds no credential for this bucket.")
        case RegistryUnavailable():
            return COSError("ServiceUnavailable", "The gateway does not know its buckets yet.")
        case StoreUnavailable():
            return COSError("ServiceUnavailable", "The gateway cannot read its keys and credentials.")
        case AuditUnavailable():
            return COSError("ServiceUnavailable", "The gateway cannot write its audit log; nothing was sent.")
        case UpstreamTimeout():
            return COSError("GatewayTimeout")
        case UpstreamUnreachable():
            return COSError("ServiceUnavailable", "The upstream cannot be reached.")
        case UpstreamBroken():
            return COSError("BadGateway")
        case _:
            return COSError("InternalError")


def response_ids(request_id: str) -> list[tuple[bytes, bytes]]:
    """The fields that every answer of the gateway's own carries."""
    return [
        (b"server", b"cos-gateway"),
        (b"x-cos-request-id", request_id.encode("ascii")),
        (b"x-amz-request-id", request_id.encode("ascii")),
        (b"x-cos-trace-id", new_trace_id(request_id).encode("ascii")),
        (b"x-content-type-options", b"nosniff"),
    ]


def error_headers(error: COSError, request_id: str) -> list[tuple[bytes, bytes]]:
    """Response fields of a refusal, without framing."""
    headers = [(b"content-type", b"application/xml"), *response_ids(request_id)]
    if error.status == 503:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_SECONDS))
    return headers


def error_body(error: COSError, *, resource: str, request_id: str) -> bytes:
    """The XML of a refusal. `resource` is `<host>/<key>` as far as it is known."""
    return render_error(
        code=error.code,
        message=error.message,
        resource=resource or "/",
        request_id=request_id,
        trace_id=new_trace_id(request_id),
        details=error.details,
    )
