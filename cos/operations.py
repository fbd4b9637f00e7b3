"""THE table: method × level × sub-resource → one operation. What is not in it is refused, never guessed.

Sources: COS API reference (each operation's page), CAM action names (reference page §7). An operation's
`parameters` are the query parameters it may carry besides its sub-resource; anything else is refused, so
that a query can never name a second operation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from cos.address import Level
from cos.errors import COSError
from cos.headers import FieldNames
from cos.request import Request


class Body(StrEnum):
    """What an operation's request body is."""

    NONE = "none"
    STREAM = "stream"
    """Relayed as it comes, never held."""
    DOCUMENT = "document"
    """A bounded document (XML or JSON) that is read whole; relayed as the same bytes."""
    FORM = "form"
    """A form that carries its own signature and one file; what it asks for is a PUT Object."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table. `action` is the CAM name; `replayable` marks what may safely be sent twice."""

    name: str
    method: str
    level: Level
    subresource: frozenset[str]
    parameters: frozenset[str]
    body: Body
    copies: bool
    replayable: bool
    action: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", f"cos:{self.name}")


SIGNATURE_PARAMETERS = frozenset(
    {
        "q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list", "q-signature",
        "sign", "x-cos-security-token",
        "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
        "X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Content-Sha256",
        "AWSAccessKeyId", "Expires", "Signature",
    }
)  # fmt: skip
"""Query parameters that carry a signature; they belong to no operation and are never forwarded."""

_RESPONSE = (
    "response-content-type", "response-content-language", "response-expires", "response-cache-control",
    "response-content-disposition", "response-content-encoding",
)  # fmt: skip
_LIST = ("prefix", "delimiter", "encoding-type")
_LIST_UPLOADS = (*_LIST, "key-marker", "upload-id-marker", "max-uploads")
# `x-id` names the operation in URLs of AWS SDKs; it repeats what the method already says.
_HINTS = ("x-id",)

_NOT_OFFERED = frozenset(
    {
        "analytics", "asyncfetch", "attributes", "intelligent-tiering", "legal-hold", "metrics", "notification",
        "ownershipControls", "policyStatus", "publicAccessBlock", "renameObject", "requestPayment", "retention",
        "session", "symlink", "torrent",
    }
)  # fmt: skip
"""Sub-resources of S3 and COS that are known and not passed on: a symbolic link would be read past every policy, and
what COS does not have is not asked of it."""

_OPERATIONS: list[Operation] = []


def _operation(
    name: str,
    method: str,
    level: Level,
    subresource: Iterable[str] = (),
    parameters: Iterable[str] = (),
    *,
    body: Body = Body.NONE,
    copies: bool = False,
) -> None:
    _OPERATIONS.append(
        Operation(
            name=name,
            method=method,
            level=level,
            subresource=frozenset(subresource),
            parameters=frozenset((*parameters, *_HINTS)),
            body=body,
            copies=copies,
            # A part copy with the same number and source may be sent again: it replaces itself.
            replayable=method in ("GET", "HEAD", "OPTIONS") or name == "UploadPartCopy",
        )
    )


S, B, O = Level.SERVICE, Level.BUCKET, Level.OBJECT  # noqa: E741  # columns of the table below

_operation("GetService", "GET", S, (), ("marker", "max-keys", "tagkey", "tagvalue", "region", "create-time", "range",
                                        # of S3 clients; COS passes over what it does not know
                                        "max-buckets", "continuation-token", "prefix", "bucket-region"))  # fmt: skip

_operation("PutBucket", "PUT", B, body=Body.DOCUMENT)
_operation("HeadBucket", "HEAD", B)
_operation("DeleteBucket", "DELETE", B)
_operation("GetBucket", "GET", B, (), (*_LIST, "marker", "max-keys", "list-type", "continuation-token", "start-after",
                                       "fetch-owner"))  # fmt: skip
_operation("GetBucketObjectVersions", "GET", B, ["versions"], (*_LIST, "key-marker", "version-id-marker", "max-keys"))
_operation("ListMultipartUploads", "GET", B, ["uploads"], _LIST_UPLOADS)
_operation("DeleteMultipleObjects", "POST", B, ["delete"], body=Body.DOCUMENT)
_operation("PostObject", "POST", B, body=Body.FORM)
_operation("GetBucketLocation", "GET", B, ["location"])
_operation("GetBucketVersioning", "GET", B, ["versioning"])
_operation("PutBucketVersioning", "PUT", B, ["versioning"], body=Body.DOCUMENT)
for _word, _title, _methods in (
    ("acl", "Acl", ("GET", "PUT")),
    ("cors", "CORS", ("GET", "PUT", "DELETE")),
    ("lifecycle", "Lifecycle", ("GET", "PUT", "DELETE")),
    ("policy", "Policy", ("GET", "PUT", "DELETE")),
    ("tagging", "Tagging", ("GET", "PUT", "DELETE")),
    ("website", "Website", ("GET", "PUT", "DELETE")),
    ("logging", "Logging", ("GET", "PUT")),
    ("referer", "Referer", ("GET", "PUT")),
    ("replication", "Replication", ("GET", "PUT", "DELETE")),
    ("encryption", "Encryption", ("GET", "PUT", "DELETE")),
    ("accelerate", "Accelerate", ("GET", "PUT")),
    ("domain", "Domain", ("GET", "PUT", "DELETE")),
    ("origin", "Origin", ("GET", "PUT", "DELETE")),
    ("object-lock", "ObjectLock", ("GET", "PUT")),
    ("intelligenttiering", "IntelligentTiering", ("GET", "PUT")),
):
    for _method in _methods:
        _operation(
            f"{_method.capitalize()}Bucket{_title}",
            _method,
            B,
            [_word],
            body=Body.DOCUMENT if _method == "PUT" else Body.NONE,
        )
for _method in ("GET", "PUT", "DELETE"):
    _operation(
        f"{_method.capitalize()}BucketInventory",
        _method,
        B,
        ["inventory"],
        ("id", "continuation-token"),
        body=Body.DOCUMENT if _method == "PUT" else Body.NONE,
    )

_operation("PutObject", "PUT", O, (), (), body=Body.STREAM)
_operation("PutObjectCopy", "PUT", O, (), (), copies=True)
_operation("GetObject", "GET", O, (), (*_RESPONSE, "versionId"))
_operation("HeadObject", "HEAD", O, (), (*_RESPONSE, "versionId"))
# One part of an object made of parts: S3 clients ask so. COS documents no such parameter; what it answers is relayed.
_operation("GetObject", "GET", O, ["partNumber"], (*_RESPONSE, "versionId"))
_operation("HeadObject", "HEAD", O, ["partNumber"], (*_RESPONSE, "versionId"))
_operation("DeleteObject", "DELETE", O, (), ("versionId",))
_operation("OptionsObject", "OPTIONS", O)
_operation("OptionsBucket", "OPTIONS", B)
_operation("AppendObject", "POST", O, ["append", "position"], (), body=Body.STREAM)
_operation("InitiateMultipartUpload", "POST", O, ["uploads"])
_operation("UploadPart", "PUT", O, ["partNumber", "uploadId"], (), body=Body.STREAM)
_operation("UploadPartCopy", "PUT", O, ["partNumber", "uploadId"], (), copies=True)
_operation("ListParts", "GET", O, ["uploadId"], ("max-parts", "part-number-marker", "encoding-type"))
_operation("CompleteMultipartUpload", "POST", O, ["uploadId"], body=Body.DOCUMENT)
_operation("AbortMultipartUpload", "DELETE", O, ["uploadId"])
_operation("GetObjectACL", "GET", O, ["acl"], ("versionId",))
_operation("PutObjectACL", "PUT", O, ["acl"], ("versionId",), body=Body.DOCUMENT)
_operation("GetObjectTagging", "GET", O, ["tagging"], ("versionId",))
_operation("PutObjectTagging", "PUT", O, ["tagging"], ("versionId",), body=Body.DOCUMENT)
_operation("DeleteObjectTagging", "DELETE", O, ["tagging"], ("versionId",))
_operation("SelectObjectContent", "POST", O, ["select"], ("select-type",), body=Body.DOCUMENT)
_operation("PostObjectRestore", "POST", O, ["restore"], ("versionId",), body=Body.DOCUMENT)

OPERATIONS: tuple[Operation, ...] = tuple(_OPERATIONS)
ACTIONS: frozenset[str] = frozenset(operation.action for operation in OPERATIONS)
"""Every action a policy document may name."""

_SUBRESOURCE_WORDS = {
    level: frozenset(word for operation in OPERATIONS if operation.level is level for word in operation.subresource)
    for level in Level
}
_BY_SHAPE = {(op.method, op.level, op.subresource, op.copies): op for op in OPERATIONS}
_METHODS_BY_SHAPE = {(op.level, op.subresource) for op in OPERATIONS}


def find_operation(request: Request, level: Level) -> Operation:
    """The one operation a request asks for.

    Raises COSError(InvalidArgument, MethodNotAllowed, NotImplemented).
    """
    # A preflight carries the query of the request that is to follow; COS answers for the object whatever it says.
    names = request.target.query_names if request.method != "OPTIONS" else ()
    return _find_operation(request.method, level, names, request.headers.known)


@lru_cache(maxsize=256)
def _find_operation(method: str, level: Level, query_names: tuple[str, ...], known: FieldNames) -> Operation:
    names = [name for name in query_names if name not in SIGNATURE_PARAMETERS]
    subresource = _SUBRESOURCE_WORDS[level].intersection(names)
    copies = b"x-cos-copy-source" in known.names or b"x-amz-copy-source" in known.names
    operation = _BY_SHAPE.get((method, level, subresource, copies))
    if operation is None:
        raise _no_such_operation(method, level, subresource, copies)
    _check_parameters(operation, names)
    return operation


def _check_parameters(operation: Operation, names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise COSError("InvalidArgument", "Expected every query parameter once.")
    for name in names:
        if name in _NOT_OFFERED:
            raise COSError("NotImplemented", f"Expected no query parameter {name!r}: the operation is not offered.")
        if name not in operation.subresource and name not in operation.parameters:
            raise COSError(
                "InvalidArgument", f"Expected no query parameter {name[:60]!r} with the operation {operation.name}."
            )


def _no_such_operation(method: str, level: Level, subresource: frozenset[str], copies: bool) -> COSError:
    asked = f"{method} on the {level} with {sorted(subresource) or 'no sub-resource'}"
    if copies and (method, level, subresource, False) in _BY_SHAPE:
        return COSError("InvalidRequest", f"Expected no copy source with {asked}.")
    if {"partNumber", "uploadId"} & subresource and len(subresource) != 2 and method == "PUT":
        return COSError("InvalidArgument", "Expected partNumber and uploadId together, and nothing besides.")
    if len(subresource) > 1:
        return COSError("InvalidArgument", f"Expected one sub-resource, got {sorted(subresource)}.")
    if (level, subresource) in _METHODS_BY_SHAPE:
        return COSError("MethodNotAllowed", f"{asked} is not allowed.")
    return COSError("NotImplemented", f"{asked} is not offered.")
