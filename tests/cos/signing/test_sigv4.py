"""SigV4 against AWS's published examples and against botocore's own signers.

Source of the examples: AWS, S3 API, "Examples: Signature Calculations" (header) and "Authenticating Requests:
Using Query Parameters". Their keys are documentation.
"""

from __future__ import annotations

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cos.address import Level
from cos.errors import COSError
from cos.request import Request, read_request
from cos.signing import SignKeys, check_coverage, read_chunk_signatures, read_claim, sigv4, verify
from cos.signing.claim import Scope

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
HOST = (b"Host", b"examplebucket.s3.amazonaws.com")
DATE = (b"x-amz-date", b"20130524T000000Z")
EMPTY = (b"x-amz-content-sha256", EMPTY_SHA256.encode())


def authorization(headers: str, signature: str) -> tuple[bytes, bytes]:
    value = (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={headers},Signature={signature}"
    )
    return b"Authorization", value.encode()


_PUBLISHED = {
    "get object": read_request(
        "GET",
        b"/test.txt",
        [
            HOST, (b"Range", b"bytes=0-9"), EMPTY, DATE,
            authorization(
                "host;range;x-amz-content-sha256;x-amz-date",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
        ],
    ),
    "put object": read_request(
        "PUT",
        b"/test%24file.text",
        [
            HOST, (b"Date", b"Fri, 24 May 2013 00:00:00 GMT"), DATE, (b"x-amz-storage-class", b"REDUCED_REDUNDANCY"),
            (b"x-amz-content-sha256", b"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
            authorization(
                "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
        ],
    ),
    "get lifecycle": read_request(
        "GET",
        b"/?lifecycle",
        [
            HOST, DATE, EMPTY,
            authorization(
                "host;x-amz-content-sha256;x-amz-date",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
        ],
    ),
    "list objects": read_request(
        "GET",
        b"/?max-keys=2&prefix=J",
        [
            HOST, DATE, EMPTY,
            authorization(
                "host;x-amz-content-sha256;x-amz-date",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ],
    ),
    "presigned": read_request(
        "GET",
        b"/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1"
        b"%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        b"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        [HOST],
    ),
}  # fmt: skip


@pytest.mark.parametrize("published", _PUBLISHED.values(), ids=_PUBLISHED.keys())
def test_a_published_example_is_accepted(published: Request) -> None:
    claim = read_claim(published)
    verify(published, claim, SECRET)
    check_coverage(published, claim, level=Level.OBJECT)


def test_every_intermediate_string_is_the_published_one() -> None:
    query = _PUBLISHED["list objects"].target.query
    assert sigv4.canonical_query(query) == "max-keys=2&prefix=J"
    headers = {"host": [HOST[1]], "x-amz-content-sha256": [EMPTY[1]], "x-amz-date": [DATE[1]]}
    listed = ("host", "x-amz-content-sha256", "x-amz-date")
    canonical = sigv4.canonical_request(
        "GET", "/", "max-keys=2&prefix=J", sigv4.canonical_headers(listed, headers), listed, EMPTY_SHA256
    )
    assert canonical.decode() == (
        "GET\n/\nmax-keys=2&prefix=J\n"
        f"host:examplebucket.s3.amazonaws.com\nx-amz-content-sha256:{EMPTY_SHA256}\nx-amz-date:20130524T000000Z\n"
        f"\nhost;x-amz-content-sha256;x-amz-date\n{EMPTY_SHA256}"
    )
    scope = Scope("20130524", "us-east-1", "s3")
    to_sign = sigv4.string_to_sign("20130524T000000Z", scope, canonical)
    assert to_sign == (
        "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
        "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7"
    )
    assert sigv4.signature(sigv4.signing_key(SECRET, scope), to_sign) == (
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


_BOTO_REQUESTS = [
    ("PUT", "/dst-1250000000/up/a.bin?partNumber=1&uploadId=u1", {"x-amz-copy-source": "/src-1250000000/a%20b"}),
    ("GET", "/dst-1250000000/%E4%B8%AD%20a%2Bb~%2A%27?versionId=v%2F1", {}),
    ("GET", "/dst-1250000000?list-type=2&prefix=a%20b&delimiter=%2F&fetch-owner=", {"x-amz-meta-a": "a   b  c"}),
    ("PUT", "/dst-1250000000/a//b/../c", {"Content-Type": "text/plain", "Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="}),
]


@pytest.mark.parametrize("token", [None, "tok/en+1=="], ids=["key", "session"])
@pytest.mark.parametrize("signer", [S3SigV4Auth, S3SigV4QueryAuth], ids=["header", "presigned"])
@pytest.mark.parametrize(("method", "target", "headers"), _BOTO_REQUESTS, ids=["part copy", "key", "list", "slashes"])
def test_what_botocore_signs_is_accepted(
    method: str, target: str, headers: dict[str, str], signer: type, token: str | None
) -> None:
    made = AWSRequest(method=method, url="http://127.0.0.1:9000" + target, headers=headers)
    made.context["client_config"] = None
    signer(Credentials("AKIDEXAMPLE", SECRET, token), "s3", "ap-guangzhou").add_auth(made)
    prepared = made.prepare()
    received = read_request(
        method,
        prepared.url.removeprefix("http://127.0.0.1:9000").encode(),
        [(b"Host", b"127.0.0.1:9000"), *((name.encode(), value.encode()) for name, value in _texts(prepared.headers))],
    )
    claim = read_claim(received)
    assert claim.security_token == token
    keys = SignKeys()
    verify(received, claim, SECRET, sign_keys=keys)
    check_coverage(received, claim, level=Level.OBJECT)
    with pytest.raises(COSError, match="SignatureDoesNotMatch"):
        verify(received, claim, SECRET + "x", sign_keys=keys)


def _texts(headers: dict[str, str | bytes]) -> list[tuple[str, str]]:
    return [(name, value.decode() if isinstance(value, bytes) else value) for name, value in headers.items()]


def _signed(target: str, headers: list[tuple[bytes, bytes]], uri: str, payload: str) -> Request:
    """A request whose canonical URI is given as text, for spellings that botocore never makes."""
    fields = [(b"host", b"h"), *headers, (b"x-amz-content-sha256", payload.encode()), DATE]
    listed = sorted(name.decode().lower() for name, _ in fields)
    canonical = sigv4.canonical_request(
        "PUT",
        uri,
        "",
        sigv4.canonical_headers(listed, {name.decode().lower(): [value] for name, value in fields}),
        listed,
        payload,
    )
    scope = Scope("20130524", "us-east-1", "s3")
    to_sign = sigv4.string_to_sign("20130524T000000Z", scope, canonical)
    signature = sigv4.signature(sigv4.signing_key(SECRET, scope), to_sign)
    return read_request("PUT", target.encode(), [*fields, authorization(";".join(listed), signature)])


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("/b/a%2Fb%20c", "/b/a/b%20c"),
        ("/b/a%2Fb%20c", "/b/a%2Fb%20c"),
        ("/b/a%2fb", "/b/a%2Fb"),
        ("http://h/b/a%2Fb", "/b/a%2Fb"),
        ("/b/a!b", "/b/a%21b"),
    ],
    ids=["slash decoded", "slash kept", "lower-case hex", "absolute target", "reserved character sent raw"],
)
def test_a_path_is_accepted_in_the_spellings_s3_clients_sign(target: str, uri: str) -> None:
    received = _signed(target, [], uri, "UNSIGNED-PAYLOAD")
    verify(received, read_claim(received), SECRET)


@pytest.mark.parametrize("uri", ["/b/c", "/b//c", "/b/a/%2E%2E/c"], ids=["normalised", "slashes", "dots encoded"])
def test_a_path_that_is_not_the_requests_is_refused(uri: str) -> None:
    received = _signed("/b/a%2F..%2Fc", [], uri, "UNSIGNED-PAYLOAD")
    with pytest.raises(COSError, match="SignatureDoesNotMatch"):
        verify(received, read_claim(received), SECRET)


_STREAMS = [
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
]


@pytest.mark.parametrize("payload", _STREAMS)
def test_the_signature_of_a_body_in_chunks_is_proved_like_any_other(payload: str) -> None:
    received = _signed("/b/k", [], "/b/k", payload)
    verify(received, read_claim(received), SECRET)
    with pytest.raises(COSError, match="SignatureDoesNotMatch"):
        verify(received, read_claim(received), SECRET + "x")


@pytest.mark.parametrize(("payload", "signed"), list(zip(_STREAMS, [True, True, False], strict=True)))
def test_only_signed_chunks_have_a_chain_of_signatures(payload: str, signed: bool) -> None:
    received = _signed("/b/k", [], "/b/k", payload)
    assert (read_chunk_signatures(read_claim(received), SECRET) is not None) == signed


def test_a_listed_header_that_is_absent_is_refused() -> None:
    published = _PUBLISHED["get object"]
    stripped = [field for field in published.headers if field[0] != b"range"]
    received = read_request("GET", published.target.raw, stripped)
    with pytest.raises(COSError) as refusal:
        verify(received, read_claim(received), SECRET)
    assert refusal.value.code == "AccessDenied"


def test_a_mismatch_shows_the_strings_but_no_secret() -> None:
    headers = [
        (b"x-amz-security-token", b"TOKEN-TO-HIDE"),
        (b"x-amz-server-side-encryption-customer-key", b"KEY-TO-HIDE"),
    ]
    received = _signed("/b/k", headers, "/b/k", "UNSIGNED-PAYLOAD")
    with pytest.raises(COSError) as refusal:
        verify(received, read_claim(received), "another secret")
    shown = dict(refusal.value.details)
    assert shown.keys() == {"StringToSign", "CanonicalRequest"}
    assert "x-amz-security-token:***\n" in shown["CanonicalRequest"]
    assert "TO-HIDE" not in str(shown)
    url = (
        "/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20130524%2Fr%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=TOKEN-TO-HIDE"
        f"&X-Amz-Signature={'a' * 64}"
    )
    received = read_request("GET", url.encode(), [HOST])
    with pytest.raises(COSError) as refusal:
        verify(received, read_claim(received), SECRET)
    assert "TO-HIDE" not in str(refusal.value.details)
