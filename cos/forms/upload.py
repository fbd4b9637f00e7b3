"""A form as what it asks for: the PUT Object that does the same.

What a field asks for is a header of PUT Object; the request returned here is native COS, whichever kind the
form was, and passes the same allow-list as any other.

Source: COS API, "POST Object" (436/14690); AWS, S3 API, "POST Object"; reference page §1.6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from msgspec.structs import replace

from cos.address import Address, Level
from cos.documents import MAX_DOCUMENT_BYTES
from cos.errors import COSError
from cos.forms.claim import FormClaim
from cos.forms.form import Form
from cos.forms.policy import FormPolicy, check_form_policy, parse_form_policy
from cos.headers import Headers
from cos.request import Dialect, Request
from cos.signing.claim import Scheme
from cos.target import Parameter, Target, parse_target, render_path, render_query
from cos.values import parse_object_key
from cos.xml import parse_xml

DEFAULT_STATUS = 204
_STATUSES = {"200": 200, "201": 201, "204": 204}
_ENTITY_FIELDS = frozenset({"cache-control", "content-disposition", "content-encoding", "content-type", "expires"})
_NO_HEADERS = frozenset(
    {
        "key", "policy", "bucket", "submit", "success_action_redirect", "redirect", "success_action_status",
        "q-sign-algorithm", "q-ak", "q-key-time", "q-sign-time", "q-signature", "x-cos-security-token",
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token",
        "awsaccesskeyid", "signature",
    }
)  # fmt: skip
"""Fields that say how to upload; every other one says what."""
_REDIRECT = re.compile(r"https?://[\x21-\x7e]{1,2000}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FormUpload:
    """A form that its policy allows.

    `request` and `address` are of the PUT Object that does the same; `redirect` where a browser is sent
    afterwards, `status` what is answered otherwise, `scheme` how its policy was signed.
    """

    request: Request
    address: Address
    min_bytes: int | None
    max_bytes: int | None
    status: int
    redirect: str | None
    scheme: Scheme


def read_form_upload(
    form: Form, form_claim: FormClaim, request: Request, address: Address, *, now: float
) -> FormUpload:
    """The upload a proved form asks for, if its policy allows it at `now` (Unix seconds).

    Raises COSError(AccessDenied, InvalidPolicyDocument, InvalidArgument, KeyTooLong, InvalidURI).
    """
    policy = parse_form_policy(form_claim.policy)
    fields = dict(form.fields)
    raw_key = fields.get("key")
    if not raw_key:
        raise COSError("InvalidArgument", "Expected a field named key.")
    key = fields["key"] = raw_key.replace("${filename}", form.file_name)
    _check_signature_fields(policy, fields, form_claim.claim.scheme)
    check_form_policy(policy, {**fields, "bucket": address.bucket or ""}, now=now)
    target = _target(key)
    return FormUpload(
        request=replace(
            request,
            method="PUT",
            target=target,
            dialect=Dialect.COS,
            headers=Headers.of([*_headers(fields), (b"transfer-encoding", b"chunked")]),
        ),
        address=replace(address, level=Level.OBJECT, key=parse_object_key(target.path[1:])),
        min_bytes=policy.min_bytes,
        max_bytes=policy.max_bytes,
        status=_STATUSES.get(fields.get("success_action_status", ""), DEFAULT_STATUS),
        redirect=_read_redirect(fields),
        scheme=form_claim.claim.scheme,
    )


def _target(key: str) -> Target:
    return parse_target(render_path(b"/" + key.encode("utf-8")))


def _check_signature_fields(policy: FormPolicy, fields: dict[str, str], scheme: Scheme) -> None:
    """A COS policy names the key time `q-sign-time`; the field it is about is called `q-key-time`.

    An S3 policy names its bucket, or it would be good for every other.
    """
    if scheme is not Scheme.Q_SIGN and all(condition.field != "bucket" for condition in policy.conditions):
        raise COSError("AccessDenied", "Invalid according to Policy: expected a condition on the bucket.")
    if "q-key-time" in fields:
        fields["q-sign-time"] = fields.pop("q-key-time")
        named = {condition.field for condition in policy.conditions}
        if not {"q-sign-algorithm", "q-ak", "q-sign-time"} <= named:
            raise COSError("AccessDenied", "Invalid according to Policy: q-sign-algorithm, q-ak and q-sign-time.")


def _headers(fields: dict[str, str]) -> list[tuple[bytes, bytes]]:
    headers = []
    for name, value in fields.items():
        if name in _NO_HEADERS or name.startswith("x-ignore-"):
            continue
        if name == "acl":
            header = "x-cos-acl"
        elif name == "tagging":
            header, value = "x-cos-tagging", _read_tags(value)
        elif name.startswith(("x-cos-", "x-amz-")):
            header = "x-cos-" + name[6:]
        elif name in _ENTITY_FIELDS:
            header = name
        else:
            raise COSError("InvalidArgument", f"Expected no field {name[:60]!r}: it is not offered.")
        if not value.isprintable() or re.fullmatch(r"[a-z0-9-]+", header) is None:
            raise COSError("InvalidArgument", f"Expected the field {name[:60]!r} to be one line of text.")
        headers.append((header.encode("ascii"), value.encode("utf-8")))
    return headers


def _read_tags(document: str) -> str:
    """S3's field holds a Tagging document, the header it becomes `key=value&…`. Raises COSError(MalformedXML, ...)."""
    root = parse_xml(document.encode("utf-8"), max_bytes=MAX_DOCUMENT_BYTES)
    found = root.first("TagSet")
    if root.tag != "Tagging" or found is None:
        raise COSError("MalformedXML", "Expected the field 'tagging' to hold a Tagging document.")
    tags = tuple(Parameter(tag.text_of("Key"), tag.text_of("Value")) for tag in found.all("Tag"))
    return render_query(tags).decode("ascii")


def _read_redirect(fields: dict[str, str]) -> str | None:
    url = fields.get("success_action_redirect") or fields.get("redirect")
    if not url:
        return None
    if _REDIRECT.fullmatch(url) is None:
        raise COSError("InvalidArgument", "Expected success_action_redirect to be an http or https URL.")
    return url
