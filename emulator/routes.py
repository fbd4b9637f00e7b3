"""Operation → handler. An operation of the protocol's table without a line here is answered 501."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cos.errors import COSError
from cos.operations import OPERATIONS
from emulator.appending import append_object
from emulator.archives import post_object_restore
from emulator.buckets import (
    delete_bucket,
    get_bucket_location,
    get_bucket_versioning,
    get_service,
    head_bucket,
    put_bucket,
    put_bucket_versioning,
)
from emulator.copying import put_object_copy, upload_part_copy
from emulator.cors import options_object
from emulator.deleting import delete_multiple_objects
from emulator.documents import KINDS, document
from emulator.exchange import Exchange, Response
from emulator.listing import get_bucket, get_bucket_object_versions, list_multipart_uploads
from emulator.multipart import abort_multipart_upload, initiate_multipart_upload, list_parts, upload_part
from emulator.objects import delete_object, get_object, head_object, put_object

Handler = Callable[[Exchange], Awaitable[Response]]

COMPLETE = "CompleteMultipartUpload"
"""Handled by the emulator itself, which knows how long it takes."""


async def not_offered(exchange: Exchange) -> Response:
    """Raises COSError(NotImplemented)."""
    raise COSError("NotImplemented", f"Expected another operation than {exchange.operation.name}.")


HANDLERS: dict[str, Handler] = {
    "GetService": get_service,
    "PutBucket": put_bucket,
    "HeadBucket": head_bucket,
    "DeleteBucket": delete_bucket,
    "GetBucketLocation": get_bucket_location,
    "GetBucketVersioning": get_bucket_versioning,
    "PutBucketVersioning": put_bucket_versioning,
    "GetBucket": get_bucket,
    "GetBucketObjectVersions": get_bucket_object_versions,
    "ListMultipartUploads": list_multipart_uploads,
    "DeleteMultipleObjects": delete_multiple_objects,
    "PostObject": not_offered,
    "SelectObjectContent": not_offered,
    "PutObject": put_object,
    "PutObjectCopy": put_object_copy,
    "GetObject": get_object,
    "HeadObject": head_object,
    "DeleteObject": delete_object,
    "OptionsObject": options_object,
    "OptionsBucket": options_object,
    "AppendObject": append_object,
    "PostObjectRestore": post_object_restore,
    "InitiateMultipartUpload": initiate_multipart_upload,
    "UploadPart": upload_part,
    "UploadPartCopy": upload_part_copy,
    "ListParts": list_parts,
    "AbortMultipartUpload": abort_multipart_upload,
    **{
        operation.name: document for operation in OPERATIONS if operation.subresource and operation.subresource <= KINDS
    },
}
