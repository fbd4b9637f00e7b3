"""COS error codes, their HTTP status and the one exception that carries them.

Source: COS API, "Error Codes" (436/7730), and the newer list cross-checked in the reference page §6.2.
Where the two lists contradict each other the newer one is used.
"""

from __future__ import annotations

from typing import NamedTuple


class ErrorSpec(NamedTuple):
    """What a code means on the wire: its HTTP status and the message used when none is given."""

    status: int
    message: str


ERRORS: dict[str, ErrorSpec] = {
    # 400
    "BadDigest": ErrorSpec(400, "The Content-MD5 you specified did not match what was received."),
    "BadRequest": ErrorSpec(400, "The request could not be understood."),
    "BucketNameTooLong": ErrorSpec(400, "The specified bucket name is too long."),
    "EntitySizeNotMatch": ErrorSpec(400, "The size of the request body does not match Content-Length."),
    "EntityTooLarge": ErrorSpec(400, "Your proposed upload exceeds the maximum allowed size."),
    "EntityTooSmall": ErrorSpec(400, "Your proposed upload is smaller than the minimum allowed size."),
    "ExpiredToken": ErrorSpec(400, "The provided token has expired."),
    "IncompleteBody": ErrorSpec(400, "The request body ended before Content-Length bytes were received."),
    "InvalidArgument": ErrorSpec(400, "Invalid argument."),
    "InvalidBucketName": ErrorSpec(400, "The specified bucket name is not valid."),
    "InvalidCopySource": ErrorSpec(400, "The copy source is not valid."),
    "InvalidDigest": ErrorSpec(400, "The Content-MD5 you specified is not valid."),
    "InvalidLocationConstraint": ErrorSpec(400, "The specified location constraint is not valid."),
    "InvalidObjectName": ErrorSpec(400, "The specified object key is not valid."),
    "InvalidPart": ErrorSpec(400, "One or more of the specified parts could not be found."),
    "InvalidPartOrder": ErrorSpec(400, "The list of parts was not in ascending order."),
    "InvalidPolicyDocument": ErrorSpec(400, "The form policy document is not valid."),
    "InvalidRegionName": ErrorSpec(400, "The specified region is not valid."),
    "InvalidRequest": ErrorSpec(400, "The request is not valid."),
    "InvalidTag": ErrorSpec(400, "The tag provided is not valid."),
    "InvalidURI": ErrorSpec(400, "Could not parse the specified URI."),
    "KeyTooLong": ErrorSpec(400, "The specified object key is too long."),
    "MalformedPOSTRequest": ErrorSpec(400, "The body of the POST request is not well-formed form data."),
    "MalformedTrailerError": ErrorSpec(400, "The trailer of the request body is not well-formed."),
    "MalformedXML": ErrorSpec(400, "The XML you provided was not well-formed."),
    "MaxPostPreDataLengthExceededError": ErrorSpec(400, "The fields that precede the upload file are too large."),
    "MissingRequestBodyError": ErrorSpec(400, "The request body is missing."),
    "RequestTimeout": ErrorSpec(400, "The request body was not received in time."),
    "SSEContentNotSupported": ErrorSpec(400, "The server-side encryption parameters are not supported."),
    "SsecDecryptHeaderInvalid": ErrorSpec(400, "The customer key does not open the object."),
    "SSEHeaderNotAllowed": ErrorSpec(400, "Server-side encryption headers are not allowed here."),
    "UnexpectedContent": ErrorSpec(400, "This request does not support content."),
    "XAmzContentSHA256Mismatch": ErrorSpec(
        400, "The provided 'x-amz-content-sha256' header does not match what was computed."
    ),
    "XMLSizeLimit": ErrorSpec(400, "The XML body is too large."),
    # 403
    "AccessDenied": ErrorSpec(403, "Access Denied."),
    "InvalidAccessKeyId": ErrorSpec(403, "The Access Key Id you provided does not exist in our records"),
    "InvalidObjectState": ErrorSpec(403, "The object is archived and must be restored first."),
    "PathStyleDomainForbidden": ErrorSpec(403, "The bucket must be addressed by a virtual-hosted domain."),
    "RequestTimeTooSkewed": ErrorSpec(
        403, "The difference between the request time and the server's time is too large."
    ),
    "SignatureDoesNotMatch": ErrorSpec(403, "The Signature you specified is invalid."),
    "UserNotSourceBucketOwner": ErrorSpec(403, "You do not own the source bucket."),
    # 404
    "NoSuchBucket": ErrorSpec(404, "The specified bucket does not exist."),
    "InventoryConfigurationNotFoundError": ErrorSpec(404, "The inventory configuration does not exist."),
    "NoSuchBucketPolicy": ErrorSpec(404, "The bucket policy does not exist."),
    "NoSuchCopySource": ErrorSpec(404, "The specified copy source does not exist."),
    "NoSuchCORSConfiguration": ErrorSpec(404, "The CORS configuration does not exist."),
    "NoSuchEncryptionConfiguration": ErrorSpec(404, "The encryption configuration does not exist."),
    "NoSuchKey": ErrorSpec(404, "The specified key does not exist."),
    "NoSuchLifecycleConfiguration": ErrorSpec(404, "The lifecycle configuration does not exist."),
    "NoSuchObjectLockConfiguration": ErrorSpec(404, "The object lock configuration does not exist."),
    "NoSuchTagSet": ErrorSpec(404, "The tag set does not exist."),
    "NoSuchUpload": ErrorSpec(404, "The specified multipart upload does not exist."),
    "NoSuchVersion": ErrorSpec(404, "The specified version does not exist."),
    "NoSuchWebsiteConfiguration": ErrorSpec(404, "The website configuration does not exist."),
    "OriginConfigurationNotFoundError": ErrorSpec(404, "The origin configuration does not exist."),
    "ReplicationConfigurationNotFoundError": ErrorSpec(404, "The replication configuration does not exist."),
    # 405 … 417
    "MethodNotAllowed": ErrorSpec(405, "The specified method is not allowed against this resource."),
    "AppendPositionErr": ErrorSpec(409, "The append position does not match the object's length."),
    "BucketAlreadyExists": ErrorSpec(409, "The requested bucket name is not available."),
    "BucketAlreadyOwnedByYou": ErrorSpec(409, "The bucket exists and you own it."),
    "BucketNotEmpty": ErrorSpec(409, "The bucket you tried to delete is not empty."),
    "ObjectNotAppendable": ErrorSpec(409, "The object is not appendable."),
    "PathConflict": ErrorSpec(409, "The object path conflicts with an existing one."),
    "MissingContentLength": ErrorSpec(411, "You must provide the Content-Length HTTP header."),
    "PreconditionFailed": ErrorSpec(412, "Precondition not match."),
    "InvalidRange": ErrorSpec(416, "The requested range cannot be satisfied."),
    # 5xx
    "InternalError": ErrorSpec(500, "We encountered an internal error. Please try again."),
    "NotImplemented": ErrorSpec(501, "A header or parameter you provided implies functionality not offered."),
    "BadGateway": ErrorSpec(502, "The upstream answered with something that is not a COS response."),
    "ServiceUnavailable": ErrorSpec(503, "The service is temporarily unavailable. Please try again."),
    "SlowDown": ErrorSpec(503, "Please reduce your request rate."),
    "GatewayTimeout": ErrorSpec(504, "The upstream did not answer in time."),
}


class COSError(Exception):
    """A refusal as COS speaks it: a code of the table, a message, and optional extra elements.

    `details` become further flat children of the `<Error>` element (never secrets). `status` follows from
    the code unless a document names another one for this very case.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        status: int | None = None,
        details: tuple[tuple[str, str], ...] = (),
    ) -> None:
        spec = ERRORS[code]
        self.code = code
        self.message = message or spec.message
        self.status = status or spec.status
        self.details = details
        super().__init__(f"{code}: {self.message}")
