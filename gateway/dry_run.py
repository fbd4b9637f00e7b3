"""A dry run: a signed request is judged and explained, and nothing is sent, measured or stored.

The header is `x-cosgw-dry-run: true`. COS's own signers cover only headers that start with `x-cos-` (Python SDK,
`cos_auth.py`); for them `x-cos-gateway-dry-run: true` says the same. It counts only when the signature covers
it: a header that somebody on the way could add or take away must not decide whether a request is carried out.
"""

from __future__ import annotations

from cos.errors import COSError
from cos.headers import FieldNames
from cos.remembering import remembering
from cos.request import Request
from cos.signing import Claim
from cos.xml import element, render_document
from gateway.context import Context
from gateway.errors import response_ids
from gateway.exchange import Exchange
from policies.decision import Decision, ReasonDetail

CONTROL_NAMES = (b"x-cosgw-dry-run", b"x-cos-gateway-dry-run")
"""The header's two names. They are the gateway's, are not judged and never sent on."""


def read_dry_run(request: Request, claim: Claim | None) -> bool:
    """Whether a request asks for a dry run. `claim` is None when its connection proved the caller, and all of it.

    Raises COSError: AccessDenied when the signature does not cover the header, InvalidArgument when its value
    is not `true`.
    """
    if not _asks(request.headers.known):
        return False
    asked = False
    for name in CONTROL_NAMES:
        value = request.headers.get(name)
        if value is None:
            continue
        text = name.decode("ascii")
        if claim is not None and text not in claim.signed_headers:
            raise COSError(
                "AccessDenied",
                "There were headers present in the request which were not signed",
                details=(("HeadersNotSigned", text),),
            )
        if value != b"true":
            raise COSError("InvalidArgument", f"Expected {text} to be 'true', got {value[:20]!r}.")
        asked = True
    return asked


@remembering(256)
def _asks(known: FieldNames) -> bool:
    return any(name in known.names for name in CONTROL_NAMES)


async def answer_dry_run(exchange: Exchange, context: Context, detail: ReasonDetail) -> None:
    """Answer with what was decided: 200, whatever the verdict."""
    if context.decision is None:
        raise ValueError("a dry run is answered after it was judged")
    body = render_dry_run(context.decision, context.decision_id or "", detail)
    headers = [
        *response_ids(context.request_id),
        (b"content-type", b"application/xml"),
        (b"x-cosgw-decision-id", (context.decision_id or "").encode("ascii")),
        (b"content-length", b"%d" % len(body)),
    ]
    await exchange.answer(200, headers, body)


def render_dry_run(decision: Decision, decision_id: str, detail: ReasonDetail) -> bytes:
    """`<DryRunResult>`: the verdict and, as far as the detail level tells callers, its reasons."""
    children = [
        element("Verdict", str(decision.verdict)),
        element("DecisionId", decision_id),
        element("PolicyVersion", decision.version),
    ]
    if detail is not ReasonDetail.NONE:
        if decision.statement_id is not None:
            children.append(element("Statement", decision.statement_id))
        children += [element("Needs", str(fact)) for fact in sorted(decision.needs)]
        children += [
            element("Adds", element("Header", amendment.name), element("Rule", amendment.rule))
            for amendment in decision.amendments
        ]
        if not decision.allowed:
            told = decision.told(detail)
            children += [element("Code", decision.code)] + ([element("Reason", told)] if told else [])
        if decision.rehearsed not in (None, decision.verdict):
            children.append(element("Rehearsed", str(decision.rehearsed)))
    return render_document(element("DryRunResult", *children))
