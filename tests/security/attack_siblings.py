"""Siblings of the corpus's cases: the same faults in other words, headers, positions and spellings.

Written in the corpus's own format, so that they are built, sent and judged alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Case = Mapping[str, Any]
Pairs = list[list[str]]

RANGE = ["x-cos-copy-source-range", "bytes=0-1048575"]
SOURCE = ["x-cos-copy-source", "${SRC}/public/big.bin"]
PART = "partNumber=1&uploadId=u1"
ALICE: Mapping[str, Any] = {"mode": "cos", "key": "alice"}

REFUSED = {"status": [400, 403, 405, 411, 416, 501], "upstream": "none"}
DENIED = {"status": [403], "upstream": "none", "code": ["AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId"]}
CLOSED = {"status": [400, 405, 501], "upstream": "none", "or_close": True, "never_path": "/up/smuggled-${CID}"}
ALLOWED = {"status": [200, 204], "upstream": "unchanged"}
EITHER = {"any": [REFUSED, ALLOWED]}


def case(name: str, request: Mapping[str, Any], expect: Mapping[str, Any]) -> Case:
    return {"id": name, "title": name, "request": request, "expect": expect}


def ask(
    method: str = "PUT",
    path: str = "/up/${CID}.bin",
    query: str = "",
    headers: Pairs | None = None,
    body: str = "",
    **more: Any,
) -> dict[str, Any]:
    sign = more.pop("sign", ALICE)
    host = more.pop("host", "${DST_HOST}")
    return {
        "method": method,
        "path": path,
        "query": query,
        "host": host,
        "headers": headers or [],
        "body": body,
        "sign": sign,
        **more,
    }


def copy(*headers: list[str], query: str = PART, **more: Any) -> dict[str, Any]:
    return ask(query=query, headers=[list(header) for header in headers] or [SOURCE, RANGE], **more)


def _signed(**more: Any) -> Mapping[str, Any]:
    return {**ALICE, **more}


def coverage() -> Iterator[Case]:
    """What is added after signing must not count."""
    for name in (
        "x-cos-acl", "x-cos-storage-class", "x-cos-forbid-overwrite", "x-cos-tagging", "x-cos-meta-a",
        "x-cos-server-side-encryption", "x-cos-copy-source-if-none-match", "x-cos-traffic-limit", "x-cos-website-redirect-location",
        "x-ci-process", "Pic-Operations", "X-COS-ACL", "x-cos-sdk-other",
    ):  # fmt: skip
        yield case(f"COV-header-{name}", ask(body="hello", post=[["add", name, "private"]]), REFUSED)
    for addition in (
        "&versionId=a",
        "&response-content-type=text/html",
        "&acl",
        "&x-cos-acl=private",
        "&x-id=PutObject",
    ):
        yield case(f"COV-query-{addition}", ask("GET", post=[["query_append", addition]]), REFUSED)
        presigned = ask("GET", sign={"mode": "presign", "key": "alice"}, post=[["query_append", addition]])
        yield case(f"COV-presigned-{addition}", presigned, REFUSED)
    yield case("COV-range-swapped", copy(post=[["set", "x-cos-copy-source-range", "bytes=1-1048576"]]), DENIED)
    yield case("COV-range-gone", copy(post=[["del", "x-cos-copy-source-range"]]), DENIED)
    yield case("COV-source-swapped", copy(post=[["set", "x-cos-copy-source", "${SRC}/public/other"]]), DENIED)
    yield case("COV-host-unlisted", copy(sign=_signed(headers=["x-cos-copy-source", RANGE[0]])), DENIED)
    yield case("COV-part-unlisted", copy(sign=_signed(params="none")), DENIED)
    yield case("COV-copy-added-to-put", ask(body="", post=[["add", *SOURCE]]), REFUSED)
    yield case(
        "COV-debug-markers",
        ask("GET", post=[["add", "x-cos-sdk-log-debug", "on"], ["add", "x-cos-sdk-retry", "true"]]),
        ALLOWED,
    )
    yield case("COV-method", ask("GET", post=[["method", "DELETE"]]), DENIED)
    yield case("COV-port-added", ask("GET", post=[["set", "Host", "${DST_HOST}:8080"]]), ALLOWED)


def claims() -> Iterator[Case]:
    """Signatures that are not quite one."""
    for algorithm in ("SHA1", "sha256", "sha1 ", "hmac-sha1", "none", "sha1&q-sign-algorithm=sha1"):
        yield case(f"CLM-algorithm-{algorithm}", ask("GET", sign=_signed(algorithm=algorithm)), REFUSED)
    for how in ("empty", "prefix20", "nonascii", "flip"):
        yield case(f"CLM-signature-{how}", ask("GET", sign=_signed(signature=how)), REFUSED)
        yield case(
            f"CLM-presigned-{how}", ask("GET", sign={"mode": "presign", "key": "alice", "signature": how}), REFUSED
        )
        yield case(f"CLM-sigv4-{how}", ask("GET", sign={"mode": "sigv4", "key": "alice", "signature": how}), REFUSED)
    for text in ("", ";", "a;b", "1;2;3", "-1;9999999999", " 1;9999999999", "1;9999999999 ", "1;" + "9" * 5000, "0x1;9999999999",
                 "1_0;9999999999", "1", "9999999999;1", "\xb2;9999999999", "1;1", "1e3;9999999999", "+1;9999999999"):  # fmt: skip
        yield case(f"CLM-time-{text[:20]!r}", ask("GET", sign=_signed(sign_time_raw=text or " ")), REFUSED)
    for name, window in (
        ("past", {"sign_time": [-1200, -600]}),
        ("future", {"sign_time": [1200, 2400]}),
        ("key-past", {"sign_time": [-60, 600], "key_time": [-1200, -600]}),
        ("key-narrower", {"sign_time": [-60, 600], "key_time": [-30, 300]}),
        ("two-days", {"sign_time": [-60, 172_800]}),
        ("key-for-years", {"sign_time": [-60, 600], "key_time": [-60, 315_360_000]}),
    ):
        yield case(f"CLM-window-{name}", ask("GET", sign=_signed(**window)), DENIED if name != "future" else REFUSED)
    for key in ("revoked", "expired", "unknown", "alice_bad", "upstream"):
        for mode in ("cos", "presign", "sigv4", "sigv4-presign"):
            yield case(f"CLM-key-{key}-{mode}", ask("GET", sign={"mode": mode, "key": key}), DENIED)
    for text in ("host;host", ";host", "host;", "HOST", "host;;x-a", "host,x-a", "host x-a", "host%00", "*"):
        yield case(f"CLM-list-{text}", ask("GET", sign=_signed(header_list_raw=text)), REFUSED)
    for value in (
        "Bearer x", "Basic YTpi", "q-sign-algorithm=sha1&q-ak=${ALICE_AK}", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=", "q-sign-algorithm", "\xff" * 40, "=" * 200, "&" * 200, "," * 200,
        "AWS4-HMAC-SHA256 Credential=${ALICE_AK}/20260101/ap-guangzhou/s3/aws4_request, SignedHeaders=host, Signature=0",
    ):  # fmt: skip
        yield case(
            f"CLM-authorization-{value[:24]!r}",
            ask("GET", headers=[["Authorization", value]], sign={"mode": "none"}),
            REFUSED,
        )
    yield case("CLM-unsigned", ask("GET", sign={"mode": "none"}), DENIED)
    for extra in ("", "Basic YTpi", "q-sign-algorithm=sha1"):
        yield case(f"CLM-two-authorizations-{extra}", ask("GET", post=[["add", "Authorization", extra]]), REFUSED)
        yield case(f"CLM-authorization-first-{extra}", ask("GET", post=[["prepend", "authorization", extra]]), REFUSED)
    for addition in (
        "q-ak=x",
        "sign=q-ak%3Dx",
        "q-signature=0",
        "X-Amz-Signature=0",
        "X-Amz-Credential=x",
        "Q-AK=x",
        "SIGN=x",
    ):
        yield case(f"CLM-two-carriers-{addition}", ask("GET", query=addition), REFUSED)
    for dropped in (
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    ):
        yield case(
            f"CLM-dropped-{dropped}",
            ask("GET", sign={"mode": "sigv4-presign", "key": "alice", "drop": dropped}),
            REFUSED,
        )
    for expires in ("0", "-1", "604801", "1e3", "", "60 ", "\xb2"):
        sign = {"mode": "sigv4-presign", "key": "alice", "expires": expires}
        yield case(f"CLM-expires-{expires!r}", ask("GET", sign=sign), REFUSED)
    for name, change in (
        ("future", {"skew": 960}), ("past", {"skew": -960}), ("scope", {"scope_date": "20200101"}), ("service", {"service": "sts"}),
        ("payload", {"payload": "x"}), ("payload-case", {"payload": "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"}),
        ("streaming", {"payload": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}), ("no-host", {"headers": ["x-amz-date", "x-amz-content-sha256"]}),
    ):  # fmt: skip
        yield case(f"CLM-sigv4-{name}", ask("GET", sign={"mode": "sigv4", "key": "alice", **change}), REFUSED)
    for name, post in (
        ("source", ["add", "x-amz-copy-source", "/secret-1250000000/x"]), ("acl", ["add", "x-amz-acl", "public-read"]),
        ("meta", ["add", "x-amz-meta-a", "b"]), ("query", ["query_append", "&versionId=1"]), ("cos", ["add", "x-cos-acl", "private"]),
        ("method", ["method", "GET"]), ("path", ["path", "/up/other"]),
    ):  # fmt: skip
        for mode in ("sigv4", "sigv4-presign"):
            yield case(
                f"CLM-{mode}-added-{name}", ask(body="hello", sign={"mode": mode, "key": "alice"}, post=[post]), REFUSED
            )
    yield case("CLM-sigv4-other-body", ask(body="hello", sign={"mode": "sigv4", "key": "alice", "payload": "0" * 64}),
                {"status": [400, 403], "upstream": "not-completed"})  # fmt: skip


def sources() -> Iterator[Case]:
    """Copy sources that name the denied bucket, or nothing, or two things."""
    for place in (
        "secret-1250000000.cos-internal.ap-guangzhou.tencentcos.cn", "secret-1250000000.cos.ap-guangzhou.tencentcos.cn",
        "secret-1250000000.cos-internal.ap-guangzhou.myqcloud.com", "secret-1250000000.cos-website.ap-guangzhou.myqcloud.com",
        "secret-1250000000.cosgz.myqcloud.com", "secret-1250000000.cn-south.myqcloud.com", "secret-1250000000.file.myqcloud.com",
        "secret-1250000000.picgz.myqcloud.com", "secret-1250000000.cos.accelerate.tencentcos.cn", "SECRET-1250000000.cos.ap-guangzhou.myqcloud.com",
        "secret-1250000000.cos.ap-guangzhou.myqcloud.com.", "secret-1250000000.cos.ap-guangzhou.myqcloud.com:443", "secret-1250000000.localhost",
        "secret-1250000000.127.0.0.1", "secret-1250000000.cos.ap-guangzhou.localhost", "SECRET-1250000000.LOCALHOST:8080",
        "secret-1250000000.cos.ap-shanghai.myqcloud.com", "secret-1250000000.cos..myqcloud.com", "secret%2D1250000000.cos.ap-guangzhou.myqcloud.com",
        "${SRC}%2F..%2Fsecret-1250000000.cos.ap-guangzhou.myqcloud.com", "${SRC}@${SECRET}", "${SECRET}\\", "${SECRET} ", "//${SECRET}", "/${SECRET}",
        "secret-1250000000", "cos.ap-guangzhou.myqcloud.com/secret-1250000000", "service.cos.myqcloud.com", "localhost/secret-1250000000",
        "127.0.0.1/secret-1250000000", "[::1]/secret-1250000000", "ftp://${SECRET}", "HTTPS://${SECRET}", "${SECRET}:0", "${SECRET}:99999", "${SECRET}:",
        "\xef\xbb\xbf${SECRET}", "\u00adsecret-1250000000.cos.ap-guangzhou.myqcloud.com", "${OTHER}", "${XSRC}",
    ):  # fmt: skip
        yield case(f"SRC-host-{place[:60]}", copy(["x-cos-copy-source", f"{place}/public/x"], RANGE), REFUSED)
    for key in (
        "", "/", "public/../private/x", "public/%2e%2e/private/x", "public/%2e%2e%2fprivate/x", "public/..%2Fprivate", "public/x/../../private/y",
        "public/..", "./public/x", "public/%00", "public/a%0ab", "public/a%0d", "public/%7f", "public/%1b", "public/%ff", "public/%c0%ae%c0%ae/x",
        "public/%ed%a0%80", "public/%", "public/%2", "public/%u002e", "public/a?versionId=1?versionId=2", "public/a?versionId=1&versionId=2", "public/a?versionId=", "public/a?versionId", "public/a?versionId=%00",
        "public/a?acl", "public/a?", "public/a%3FversionId=1", "public/a#b", "public/a?versionId=1#b", "private/x?public/", "private/x%3f/public/",
        "Public/x", "PUBLIC/x", "public", "publicx/a", "%70rivate/x", "p%72ivate/x", "/public/../private/x",
    ):  # fmt: skip
        yield case(f"SRC-key-{key[:50]}", copy(["x-cos-copy-source", f"${{SRC}}/{key}"], RANGE), REFUSED)
    for key in ("public//x", "public/a b", "public/%E4%B8%AD", "public/a+b", "%70ublic/x", "public/a%252e%252e", "public/%25", "public/%EF%BC%8E%EF%BC%8E/x",
                "public/a;b", "public/a&b=c", "public/a%3Fb", "public/a?versionId=MTg0", "public/...", "public/.a/b", "public/a%2Fb", "public/e%CC%81"):  # fmt: skip
        yield case(
            f"SRC-good-{key}",
            copy(["x-cos-copy-source", f"${{SRC}}/{key}"], RANGE),
            EITHER if "?" in key or ";" in key else ALLOWED,
        )
    for version in ("versionid=1", "VersionId=1", "versionId=a%26acl"):
        spelled = copy(["x-cos-copy-source", f"${{SRC}}/public/x?{version}"], RANGE)
        yield case(f"SRC-version-{version}", spelled, {"status": [200], "upstream": "copied"})
    for method in ("GET", "HEAD", "DELETE", "POST"):
        yield case(f"SRC-method-{method}", ask(method, headers=[SOURCE]), REFUSED)
    for query in (
        "uploadId=u1",
        "partNumber=1",
        "uploads",
        "acl",
        "tagging",
        "partNumber=1&uploadId=u1&acl",
        "append&position=0",
    ):
        yield case(f"SRC-query-{query}", copy(SOURCE, RANGE, query=query), REFUSED)
    yield case("SRC-with-body", copy(body="hello"), REFUSED)
    yield case("SRC-with-chunks", copy(wire={"chunked": True}), REFUSED)
    for value in (
        "",
        " ",
        "/",
        "?",
        "#",
        "%",
        ".",
        "..",
        "\x7f",
        "a" * 9000,
        "${SRC}",
        "${SRC}?versionId=1",
        "${SRC}%2Fpublic%2Fx",
    ):
        yield case(f"SRC-text-{value[:12]!r}", copy(["x-cos-copy-source", value], RANGE), REFUSED)
    for value in ("", "/", "src-1250000000", "/src-1250000000", "/src-1250000000/", "//src-1250000000/public/x", "secret-1250000000/x", "/bob-1250000000/x",
                  "/src-1250000000/public/../private", "src-1250000000%2Fpublic%2Fx", "${SRC}/public/x", "arn:aws:s3:::src-1250000000/public/x",
                  "/src-1250000000/private/x", "/src-1250000000/public/x?versionId=", "/SRC-1250000000/public/x", "/src-1259999999/public/x"):  # fmt: skip
        s3 = copy(
            ["x-amz-copy-source", value], ["x-amz-copy-source-range", RANGE[1]], sign={"mode": "sigv4", "key": "alice"}
        )
        yield case(f"SRC-s3-{value[:40]}", s3, REFUSED)
    for second in (["X-Cos-Copy-Source", "${SECRET}/x"], ["x_cos_copy_source", "${SECRET}/x"], ["x-cos-copy-source ", "${SECRET}/x"], ["x-amz-copy-source", "/secret-1250000000/x"]):  # fmt: skip
        yield case(f"SRC-second-{second[0]}", copy(post=[["add", *second]]), CLOSED | {"status": [400, 403]})
    for option in (
        "x-cos-copy-source",
        "close, x-cos-copy-source",
        "Host",
        "authorization",
        "keep-alive, content-length",
        "upgrade",
    ):
        yield case(
            f"SRC-connection-{option}", copy(SOURCE, RANGE, ["Connection", option]), CLOSED | {"status": [400, 403]}
        )


def ranges() -> Iterator[Case]:
    """Ranges, part numbers and conditions outside their grammar."""
    for text in (
        "bytes=0-1048574", "bytes=0-5368709120", "bytes=1048575-0", "bytes=0", "bytes=-1048576", "bytes=0-", "bytes= 0-1048575", "bytes=0 -1048575",
        "bytes=0-1048575,", "bytes=0-1048575,2097152-3145727", "Bytes=0-1048575", "BYTES=0-1048575", "0-1048575", "bytes:0-1048575", "bytes=0x0-0xfffff",
        "bytes=+0-1048575", "bytes=0-+1048575", "bytes=0--1", "bytes=0-1e9", "bytes=0-1048575\t", "bytes=\xb2-1048575", "bytes=0-\xef\xbc\x91048575",
        "bytes=0-1048575;", "bytes=0-1048575\x00", "bytes=0-99999999999999999999", "bytes=0-" + "9" * 4400, "bytes", "=", "bytes==0-1048575", "bytes=a-b",
        "bytes=18446744073709551616-18446744073710600191", "bytes=0-1048575 ", "bytes =0-1048575", "bytes=0-1048575\x0b",
    ):  # fmt: skip
        expect = EITHER | {"any": [REFUSED, ALLOWED, {"status": [400], "upstream": "none", "or_close": True}]}
        strict = text.strip(" \t") != RANGE[1]
        yield case(
            f"RNG-{text[:30]!r}", copy(SOURCE, [RANGE[0], text]), CLOSED | {"status": [400, 403]} if strict else expect
        )
    for text in ("bytes=0-1048575", "bytes=0-5368709119", "bytes=1-1048576", "bytes=00-1048575"):
        yield case(f"RNG-good-{text}", copy(SOURCE, [RANGE[0], text]), EITHER if "00-" in text else ALLOWED)
    yield case(
        "RNG-cross-max", copy(["x-cos-copy-source", "${XOK}/public/x"], [RANGE[0], "bytes=0-1073741823"]), ALLOWED
    )
    yield case(
        "RNG-cross-more", copy(["x-cos-copy-source", "${XOK}/public/x"], [RANGE[0], "bytes=0-1073741824"]), REFUSED
    )
    yield case("RNG-needed", copy(["x-cos-copy-source", "${SRC}/needrange/x"]), REFUSED)
    yield case("RNG-needed-empty", copy(["x-cos-copy-source", "${SRC}/needrange/x"], [RANGE[0], ""]), REFUSED)
    for number in (
        "0",
        "10001",
        "-1",
        "01",
        "+1",
        "1.0",
        "1e3",
        "1,2",
        "",
        "1%00",
        "%31%20",
        "1%0a",
        "\xb9",
        "0x1",
        "1_0",
        "%D9%A1",
        "99999999999999999999",
        "null",
        "true",
    ):
        yield case(f"QRY-part-{number}", copy(query=f"partNumber={number}&uploadId=u1"), REFUSED)
    for number in ("1", "10000"):
        yield case(f"QRY-part-good-{number}", copy(query=f"partNumber={number}&uploadId=u1"), ALLOWED)
    for query in (
        "partnumber=1&uploadid=u1", "PARTNUMBER=1&UPLOADID=u1", "partNumber=1&partNumber=2&uploadId=u1", "partNumber=1&uploadId=u1&uploadId=u2",
        "partNumber=1&uploadId=u1&partNumber=1", "partNumber=1&uploadId=u1&uploadid=u1", "partNumber=1&uploadId=a%20b", "partNumber=1&uploadId=%0d%0a",
        "partNumber=1&uploadId=u1&unknown", "partNumber=1&uploadId=u1&versionId=1", "partNumber=1&uploadId=u1&x-cos-copy-source=a", "partNumber=1;uploadId=u1",
        "partNumber=1&uploadId=u1&=x", "partNumber=1&uploadId=u1&" + "a=1&" * 100, "partNumber&uploadId", "partNumber=1&amp;uploadId=u1", "part%4Eumber=1&uploadId=%00",
    ):  # fmt: skip
        yield case(f"QRY-{query[:60]}", copy(query=query), REFUSED)
    for conditions in (
        ["if-match", "if-none-match"], ["if-match", "if-modified-since"], ["if-none-match", "if-unmodified-since"],
        ["if-modified-since", "if-unmodified-since"], ["if-match", "if-none-match", "if-modified-since"],
    ):  # fmt: skip
        values = {
            "if-match": '"e"',
            "if-none-match": '"e"',
            "if-modified-since": "Mon, 04 Sep 2017 04:45:45 GMT",
            "if-unmodified-since": "Mon, 04 Sep 2017 04:45:45 GMT",
        }
        fields = [[f"x-cos-copy-source-{name}", values[name]] for name in conditions]
        yield case(f"CND-{'+'.join(conditions)}", copy(SOURCE, RANGE, *fields), REFUSED)
    for etag in ("*", '"a", "b"', '"a","b"', 'W/"a"', "", '""', "*, *", '"a'):
        fields = [["x-cos-copy-source", "${SRC}/needmatch/x"], RANGE, ["x-cos-copy-source-if-match", etag]]
        yield case(f"CND-exact-{etag}", copy(*fields), REFUSED if etag != '""' else EITHER)
    exact = [
        ["x-cos-copy-source", "${SRC}/needmatch/x"],
        RANGE,
        ["x-cos-copy-source-if-match", '"d41d8cd98f00b204e9800998ecf8427e"'],
    ]
    yield case("CND-exact-good", copy(*exact), ALLOWED)
    yield case("CND-exact-missing", copy(["x-cos-copy-source", "${SRC}/needmatch/x"], RANGE), REFUSED)
