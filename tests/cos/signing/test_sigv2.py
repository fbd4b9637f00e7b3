"""Signature Version 2 against AWS's published examples and against botocore's own signers."""

from __future__ import annotations

import time

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cos.address import Address, Level
from cos.errors import COSError
from cos.request import Dialect, Request
from cos.signing import Carrier, Scheme, Window, check_window, sigv2, with_hoisted_headers
from tests.support.sigv2_requests import (
    BUCKET,
    DATE,
    ID,
    MOMENT,
    PATH_HOST,
    SECRET,
    VIRTUAL_HOST,
    prove,
    received,
    refusal,
    sign,
)

# --- the published examples: AWS, "Signing and Authenticating REST Requests" ---------------------------------

EXAMPLES = {
    "get": (
        "GET", "/photos/puppy.jpg", [("Date", DATE)],
        "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/awsexamplebucket1/photos/puppy.jpg",
        "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
    ),
    "put": (
        "PUT", "/photos/puppy.jpg",
        [("Content-Type", "image/jpeg"), ("Content-Length", "94328"), ("Date", "Tue, 27 Mar 2007 21:15:45 +0000")],
        "PUT\n\nimage/jpeg\nTue, 27 Mar 2007 21:15:45 +0000\n/awsexamplebucket1/photos/puppy.jpg",
        "iqRzw+ileNPu1fhspnRs8nOjjIA=",
    ),
    "list": (
        "GET", "/?prefix=photos&max-keys=50&marker=puppy", [("Date", "Tue, 27 Mar 2007 19:42:41 +0000")],
        "GET\n\n\nTue, 27 Mar 2007 19:42:41 +0000\n/awsexamplebucket1/",
        "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
    ),
    "fetch": (
        "GET", "/?acl", [("Date", "Tue, 27 Mar 2007 19:44:46 +0000")],
        "GET\n\n\nTue, 27 Mar 2007 19:44:46 +0000\n/awsexamplebucket1/?acl",
        "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "target", "headers", "to_sign", "signature"), EXAMPLES.values(), ids=EXAMPLES)
def test_the_published_examples_are_signed_as_published(
    method: str, target: str, headers: list[tuple[str, str]], to_sign: str, signature: str
) -> None:
    request, _ = received(method, target, headers, VIRTUAL_HOST)
    resource = sigv2.resources(request.target, "awsexamplebucket1")[0]
    text = sigv2.string_to_sign(request, request.headers.text(b"date") or "", resource)
    assert text.decode() == to_sign
    assert sigv2.signature(SECRET, text) == signature


# --- what botocore signs -------------------------------------------------------------------------------------

BOTO_REQUESTS = {
    "get": ("GET", "/a%20b/%E4%B8%AD%2B~%2A%27", "", {}),
    "version": ("GET", "/k", "?versionId=v1&response-content-type=text%2Fplain%3B%20a%3Db", {}),
    "part copy": ("PUT", "/k", "?partNumber=1&uploadId=u1", {"x-amz-copy-source": "/src-1250000000/a%20b"}),
    "initiate": ("POST", "/k", "?uploads", {"x-amz-meta-b": " 2 ", "X-Amz-Meta-A": "1"}),
    "initiate, with equals": ("POST", "/k", "?uploads=", {}),
    "put": ("PUT", "/a//b/../c", "", {"Content-Type": "text/plain", "Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="}),
    "list": ("GET", "/", "?prefix=a%20b&delimiter=%2F&max-keys=3&encoding-type=url", {}),
    "delete": ("POST", "/", "?delete", {"Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="}),
    "acl": ("PUT", "/k", "?acl", {"x-amz-acl": "public-read"}),
}


def signed_by_boto(
    method: str, path: str, query: str, headers: dict[str, str], host: str, *, query_auth: bool
) -> tuple[str, list[tuple[str, str]]]:
    """Target and headers as botocore sends them. `host` decides where the bucket is named."""
    url_path = path if host == VIRTUAL_HOST else f"/{BUCKET}{path}"
    made = AWSRequest(method=method, url=f"http://{host}{url_path}{query}", headers=headers)
    made.auth_path = f"/{BUCKET}{path}"
    credentials = Credentials(ID, SECRET)
    signer = HmacV1QueryAuth(credentials, expires=300) if query_auth else HmacV1Auth(credentials)
    signer.add_auth(made)
    prepared = made.prepare()
    sent = [(name, value.decode() if isinstance(value, bytes) else value) for name, value in prepared.headers.items()]
    if query_auth:
        # What is in the URL by now, the client need not send again; Date is its way to carry Expires.
        sent = []
    return prepared.url.removeprefix(f"http://{host}"), sent


@pytest.mark.parametrize("query_auth", [False, True], ids=["header", "presigned"])
@pytest.mark.parametrize("host", [PATH_HOST, VIRTUAL_HOST], ids=["path style", "virtual host"])
@pytest.mark.parametrize(("method", "path", "query", "headers"), BOTO_REQUESTS.values(), ids=BOTO_REQUESTS)
def test_what_botocore_signs_is_accepted(
    method: str, path: str, query: str, headers: dict[str, str], host: str, query_auth: bool
) -> None:
    target, sent = signed_by_boto(method, path, query, headers, host, query_auth=query_auth)
    request, address = received(method, target, sent, host)
    assert request.dialect is Dialect.S3
    claim = prove(request, address)
    assert claim.scheme is Scheme.SIGV2
    assert claim.carrier is (Carrier.QUERY if query_auth else Carrier.HEADER)
    assert claim.access_key_id == ID
    check_window(claim, now=int(time.time()))
    assert refusal(request, address, SECRET + "x") == "SignatureDoesNotMatch"


@pytest.mark.parametrize("signed_path", [f"/{BUCKET}", f"/{BUCKET}/"], ids=["as sent", "as botocore"])
def test_a_bucket_may_be_signed_with_a_slash_that_was_not_sent(signed_path: str) -> None:
    _, address = received("GET", f"/{BUCKET}")
    signature = sigv2.signature(SECRET, f"GET\n\n\n{DATE}\n{signed_path}".encode())
    prove(*received("GET", f"/{BUCKET}", [("Date", DATE), ("Authorization", f"AWS {ID}:{signature}")]))
    assert address.level is Level.BUCKET
    other = [("Date", DATE), ("Authorization", f"AWS {ID}:{signature}")]
    assert refusal(*received("GET", f"/{BUCKET}/k", other)) == "SignatureDoesNotMatch"


def test_headers_in_a_url_are_headers_of_the_request() -> None:
    headers = {"x-amz-acl": "private", "Content-Type": "text/plain"}
    target, _ = signed_by_boto("PUT", "/k", "", headers, PATH_HOST, query_auth=True)
    alone, _ = received("PUT", target)
    beside, _ = received("PUT", target, [("Content-Type", "text/plain")])
    for request in (with_hoisted_headers(alone), with_hoisted_headers(beside)):
        assert request.headers.get(b"x-amz-acl") == b"private"
        assert request.headers.get(b"content-type") == b"text/plain"
        assert {name for name, _ in request.target.query} == sigv2.CARRIER_PARAMETERS


def test_a_header_that_contradicts_the_url_is_refused() -> None:
    target, _ = signed_by_boto("PUT", "/k", "", {"Content-Type": "text/plain"}, PATH_HOST, query_auth=True)
    request, _ = received("PUT", target, [("Content-Type", "text/html")])
    with pytest.raises(COSError, match="InvalidArgument"):
        with_hoisted_headers(request)


# --- everything covered is covered ---------------------------------------------------------------------------


PART = f"/{BUCKET}/a?partNumber=1&uploadId=u1"
HEADERS = [("Date", DATE), ("Content-Type", "text/plain"), ("x-amz-copy-source", "/src-1250000000/a")]


def changed(
    *, method: str = "PUT", target: str = PART, headers: list[tuple[str, str]] | None = None, host: str = PATH_HOST
) -> tuple[Request, Address]:
    """A signed part copy, of which something is replaced after signing."""
    _, _, signed, _ = sign("PUT", PART, HEADERS)
    return received(method, target, [*(headers if headers is not None else HEADERS), signed[-1]], host)


def test_the_request_before_it_is_changed_is_accepted() -> None:
    assert prove(*changed()).window == Window(MOMENT, MOMENT)


@pytest.mark.parametrize(
    "request_and_address",
    [
        changed(method="GET"),
        changed(target=f"/{BUCKET}/b?partNumber=1&uploadId=u1"),
        changed(target="/other-1250000000/a?partNumber=1&uploadId=u1"),
        changed(target=f"/{BUCKET}/a?partNumber=2&uploadId=u1"),
        changed(target=f"/{BUCKET}/a?partNumber=1&uploadId=u2"),
        changed(target=f"/{BUCKET}/a?partNumber=1"),
        changed(target=f"/{BUCKET}/a"),
        changed(target=f"{PART}&versionId=v"),
        changed(target=f"{PART}&VersionId=v"),
        changed(target=f"{PART}&acl"),
        changed(target="/a?partNumber=1&uploadId=u1", host=VIRTUAL_HOST.replace(BUCKET, "other-1250000000")),
        changed(headers=[("Date", DATE), *HEADERS[2:]]),
        changed(headers=[*HEADERS, ("Content-MD5", "XUFAKrxLKna5cZ2REBfFkg==")]),
        changed(headers=[("Date", DATE.replace("42 +", "43 +")), *HEADERS[1:]]),
        changed(headers=[*HEADERS, ("x-amz-date", "20070327T193642Z")]),
        changed(headers=[*HEADERS[:2], ("x-amz-copy-source", "/src-1250000000/b")]),
        changed(headers=HEADERS[:2]),
        changed(headers=[*HEADERS, ("x-amz-copy-source-range", "bytes=0-1")]),
        changed(headers=[*HEADERS, ("x-amz-acl", "public-read")]),
    ],
    ids=[
        "method", "key", "bucket", "part number", "upload", "without upload", "without words", "version",
        "Go's version", "word added", "bucket in the host", "content type", "content md5", "date", "x-amz-date",
        "copy source", "copy source gone", "range added", "acl added",
    ],
)  # fmt: skip
def test_whatever_the_signature_covers_cannot_be_changed(request_and_address: tuple[Request, Address]) -> None:
    assert refusal(*request_and_address) == "SignatureDoesNotMatch"


def test_the_same_object_by_another_kind_of_address_is_the_same_request() -> None:
    # The bucket is signed wherever it is named, so this is no other request.
    prove(*changed(target="/a?partNumber=1&uploadId=u1", host=VIRTUAL_HOST))


@pytest.mark.parametrize(
    ("method", "target", "added"),
    [
        ("PUT", f"/{BUCKET}/", "referer"),
        ("PUT", f"/{BUCKET}/", "encryption"),
        ("POST", f"/{BUCKET}/k", "append"),
        ("POST", f"/{BUCKET}/k", "position=0"),
        ("POST", f"/{BUCKET}/?delete", "prefix=a"),
        ("GET", f"/{BUCKET}/", "encryption"),
        ("GET", f"/{BUCKET}/?inventory", "id=1"),
        ("GET", f"/{BUCKET}/k", "x-ci-process=x"),
    ],
)
def test_a_parameter_that_it_does_not_cover_is_refused(method: str, target: str, added: str) -> None:
    _, _, headers, host = sign(method, target, [("Date", DATE)])
    prove(*received(method, target, headers, host))
    joint = "&" if "?" in target else "?"
    assert refusal(*received(method, f"{target}{joint}{added}", headers, host)) == "AccessDenied"


@pytest.mark.parametrize("added", ["prefix=a", "delimiter=%2F", "marker=b", "max-keys=1", "list-type=2", "max-parts=1"])
def test_paging_is_left_to_whoever_holds_the_signature(added: str) -> None:
    _, _, headers, host = sign("GET", f"/{BUCKET}/", [("Date", DATE)])
    prove(*received("GET", f"/{BUCKET}/?{added}", headers, host))


@pytest.mark.parametrize("name", ["pic-operations", "x-ci-process"])
def test_a_control_header_that_it_does_not_cover_is_refused(name: str) -> None:
    _, _, headers, host = sign("PUT", f"/{BUCKET}/k", [("Date", DATE)])
    assert refusal(*received("PUT", f"/{BUCKET}/k", [*headers, (name, "x")], host)) == "AccessDenied"


@pytest.mark.parametrize("value", ["a%26versionId%3D3", "%26"])
def test_a_value_that_reads_as_two_words_is_refused(value: str) -> None:
    target = f"/{BUCKET}/k?response-content-type=a&versionId=3"
    _, _, headers, host = sign("GET", target, [("Date", DATE)])
    prove(*received("GET", target, headers, host))
    assert refusal(*received("GET", f"/{BUCKET}/k?response-content-type={value}", headers, host)) == "AccessDenied"


def test_the_string_to_sign_is_told_without_the_secrets_in_it() -> None:
    secrets = [("x-amz-security-token", "TOKEN"), ("x-amz-server-side-encryption-customer-key", "CUSTOMER")]
    request, address = received(
        "GET", f"/{BUCKET}/k", [("Date", DATE), *secrets, ("Authorization", f"AWS {ID}:{'a' * 27}=")]
    )
    with pytest.raises(COSError) as caught:
        prove(request, address)
    (shown,) = [text for name, text in caught.value.details if name == "StringToSign"]
    assert "x-amz-security-token:***" in shown
    assert "TOKEN" not in shown
    assert "CUSTOMER" not in shown
