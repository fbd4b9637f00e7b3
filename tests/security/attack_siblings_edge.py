"""Siblings of the corpus's cases at the edge: paths, hosts, operations, framing, documents, logs, the control plane."""

from __future__ import annotations

from collections.abc import Iterator

from tests.security.attack_siblings import (
    ALLOWED,
    CLOSED,
    DENIED,
    EITHER,
    REFUSED,
    Case,
    ask,
    case,
    copy,
)

INNER = {
    "method": "PUT", "path": "/up/smuggled-${CID}", "query": "", "host": "${DST_HOST}", "headers": [], "body": "x",
    "sign": {"mode": "cos", "key": "alice"},
}  # fmt: skip


def addresses() -> Iterator[Case]:
    """Paths and hosts that lead elsewhere, or seem to."""
    for path in (
        "/", "//", "/..", "/.", "/up", "/up/..", "/up/../admin/x", "/up/%2e%2e/admin/x", "/up/..%2fadmin/x", "/up/%2E%2E%2Fadmin%2Fx", "/up%00/x", "/up/%00",
        "/up/a%0d%0ax", "/up/%7f", "/up/%1b[2J", "/up/%ff", "/up/%c0%af", "/up/%ed%a0%80", "/up/%", "/up/%zz", "/up/%2", "/UP/x", "/%75p/../x", "//up/x",
        "/./up/x", "/up/./../../x", "/admin", "/up\\..\\admin", "/u%70/../x", "/up/" + "a" * 1022,
    ):  # fmt: skip
        yield case(f"PTH-{path[:40]}", ask(path=path, body="hello"), REFUSED)
    for path in (
        "/up/x+y",
        "/up//x",
        "/up/a%2Fb",
        "/up/%E4%B8%AD",
        "/u%70/x",
        "/up/a%20b",
        "/up/a%252e",
        "/up/...",
        "/up/a.",
        "/up/a%3Fb",
        "/up/a%23b",
        "/up/" + "a" * 1020,
    ):
        yield case(f"PTH-good-{path[:40]}", ask(path=path, body="hello"), ALLOWED)
    for host in (
        "evil.com", "${DST_HOST}.evil.com", "evil.com.${DST_HOST}x", "${DST_HOST}:0", "${DST_HOST}:99999", "${DST_HOST}:", "${DST_HOST}:8080:80", "${DST_HOST}.",
        "user@${DST_HOST}", "${DST_HOST},${BOB_HOST}", "${DST_HOST} ${BOB_HOST}", "${DST_HOST}/x", "${DST_HOST}?x", "${DST_HOST}#x", "[::1]", "[::1]:80", "::1",
        "127.0.0.1", "0x7f000001", "2130706433", "", " ", "${BOB_HOST}", "${DSTX_HOST}", "dst-1250000000.cos.accelerate.myqcloud.com", "bob-1250000000.localhost",
        "localhost", "dst-1250000000.cos.ap-guangzhou.myqcloud.com%00", "dst-1250000000.cos-website.ap-guangzhou.myqcloud.com", "dst-1250000000", "*.localhost",
        "\xe5\xad\x98.localhost", "dst_1250000000.localhost", "${OTHER_HOST}", "-.localhost", "a..localhost", "cos.ap-guangzhou.myqcloud.com", "169.254.169.254",
    ):  # fmt: skip
        yield case(f"HST-{host[:40]}", ask("GET", host=host), {**REFUSED, "or_close": True})
    for host in (
        "dst-1250000000.localhost",
        "${DST_HOST_UPPER}",
        "${DST_HOST}:8080",
        "dst-1250000000.cos.ap-guangzhou.localhost",
    ):
        yield case(f"HST-good-{host[:40]}", ask("GET", host=host), ALLOWED)
    for target in (
        "http://evil.com/up/x", "http://${BOB_HOST}/up/x", "http://${DST_HOST}@evil.com/up/x", "http://evil.com:80@${DST_HOST}/up/x", "ftp://${DST_HOST}/up/x",
        "file:///up/x", "http:/up/x", "http:///up/x", "//evil.com/up/x", "*", "up/x", "?x", "http://${DST_HOST}:80:80/up/x", "\\up\\x", "/up/x#y", "/up/x y", "http://${DST_HOST}",
    ):  # fmt: skip
        yield case(f"TGT-{target[:40]}", ask("GET", post=[["target", target]]), {**REFUSED, "or_close": True})
    absolute = ask("GET", post=[["target", "http://${DST_HOST}/up/${CID}.bin"]])
    yield case("TGT-good-absolute", absolute, ALLOWED)
    for second in ("${BOB_HOST}", "${DST_HOST}", ""):
        yield case(f"HST-second-{second}", ask("GET", post=[["add", "Host", second]]), CLOSED)
        yield case(f"HST-first-{second}", ask("GET", post=[["prepend", "host", second]]), CLOSED)
    yield case("HST-none", ask("GET", post=[["del", "Host"]]), CLOSED)


def operations() -> Iterator[Case]:
    """Sub-resources, methods and control headers that nobody granted."""
    for word in ("acl", "policy", "lifecycle", "cors", "website", "versioning", "logging", "tagging", "replication", "inventory", "domain", "origin",
                 "referer", "encryption", "accelerate", "object-lock", "intelligenttiering", "uploads", "versions", "location", "notification", "unknown"):  # fmt: skip
        for method in ("GET", "PUT", "DELETE", "POST"):
            body = "<X/>" if method in ("PUT", "POST") else ""
            yield case(f"OPS-bucket-{method}-{word}", ask(method, "/", word, body=body), REFUSED)
    for word in ("acl", "tagging", "restore", "torrent", "select", "legal-hold", "retention", "unknown", "delete", "policy", "append&position=0",
                 "uploads&uploadId=1", "acl&tagging", "acl&acl", "Uploads", "versionId=1&acl", "image-process=x", "ci-process=x", "callback=x"):  # fmt: skip
        for method in ("PUT", "DELETE", "POST"):
            yield case(
                f"OPS-object-{method}-{word}",
                ask(method, query=word, body="" if method == "DELETE" else "<X/>"),
                REFUSED,
            )
    for method in (
        "",
        "put",
        "PATCH",
        "TRACE",
        "CONNECT",
        "PROPFIND",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "SEARCH",
        "PURGE",
        "GET\x00",
        "G ET",
        "A" * 40,
        "PUT\t",
    ):
        yield case(f"OPS-method-{method!r}", ask(method or "X", post=[["method", method]]), CLOSED)
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        yield case(f"OPS-bucket-{method}", ask(method, "/"), REFUSED)
        yield case(f"OPS-service-{method}", ask(method, "/", host="service.cos.myqcloud.com"), REFUSED)
    for name in (
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Forwarded-Host",
        "Forwarded",
        "X-Forwarded-For",
        "X-Real-IP",
        "X-Host",
        "X-Cos-Gateway-Principal",
        "Cookie",
    ):
        yield case(f"OPS-header-{name}", ask("GET", headers=[[name, "DELETE"]]), EITHER)
    for name in (
        "x-cos-unknown",
        "x-cos-callback",
        "x-ci-process",
        "Pic-Operations",
        "x-cos-copy-source-range",
        "x-cos-copy-source-if-match",
        "x-cos-security",
    ):
        yield case(f"OPS-control-{name}", ask(headers=[[name, "x"]], body="hello"), REFUSED)
    yield case("OPS-get-with-body", ask("GET", body="hello"), REFUSED)
    yield case("OPS-get-with-chunks", ask("GET", wire={"chunked": True}), REFUSED)


def framing() -> Iterator[Case]:
    """Requests inside requests."""
    for lines in (
        ["Content-Length: 5", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Content-Length: 5"], ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], ["Transfer-Encoding: CHUNKED", "Content-Length: 0"], ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: deflate, chunked"], ["Transfer-Encoding: chunked, gzip"], ["Transfer-Encoding: \"chunked\""], ["Transfer-Encoding : chunked"],
        ["Transfer-Encoding:\x0bchunked"], ["Transfer-Encoding: chunked\x00"], ["Transfer_Encoding: chunked", "Content-Length: 0"], ["Transfer-Encoding: x"],
        ["X: y\rTransfer-Encoding: chunked", "Content-Length: 0"], ["X: y", " Transfer-Encoding: chunked", "Content-Length: 0"], ["Content-Length: 0", "Content-Length: 5"],
        ["Content-Length: 0, 5"], ["Content-Length: 5", "content-length: 0"], ["Content-Length: +0"], ["Content-Length: 0x0"], ["Content-Length: 0 5"], ["Content-Length: "],
        ["Content-Length: -1"], ["Content-Length: 18446744073709551616"], ["Content-Length\t: 0"], ["Content-Length: \xb2"], ["Content-Length: 1e1"],
        ["Transfer-Encoding", "Content-Length: 0"], [": chunked", "Content-Length: 0"], ["Content Length: 0"], ["Content-Length: 0;"], ["Transfer-Encoding: chunked;q=1"],
    ):  # fmt: skip
        request = ask(
            wire={"raw_headers": lines, "raw_body": "0\r\n\r\n${INNER}", "no_auto_framing": True}, inner=INNER
        )
        yield case(f"WIR-{' | '.join(lines)!r}"[:80], request, CLOSED)
    for body in (
        "0x0\r\n\r\n", "-0\r\n\r\n", "+0\r\n\r\n", " 0\r\n\r\n", "0 \r\n\r\n", "\r\n0\r\n\r\n", "g\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\n\n", "fffffffffffffffff\r\n", "5\r\nhel\r\n0\r\n\r\n", "0\r\nX\r\n\r\n", "0\r\n: y\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "00000000000000000000000000000005\r\nhello\r\n0\r\n\r\n",
    ):  # fmt: skip
        wire = {"raw_headers": ["Transfer-Encoding: chunked"], "raw_body": body + "${INNER}", "no_auto_framing": True}
        expect = {**CLOSED, "upstream": "not-completed"}
        yield case(
            f"CHK-{body!r}"[:60],
            ask(wire=wire, inner=INNER),
            {"any": [expect, {"status": [200], "upstream": "any"}], "never_path": "/up/never"},
        )
    for trailer in (
        "x-cos-acl: public-read",
        "Host: ${BOB_HOST}",
        "Content-Length: 5",
        "Authorization: x",
        "x-cos-copy-source: ${SECRET}/x",
        "Transfer-Encoding: chunked",
    ):
        request = ask(body="hello", wire={"chunked": True, "trailers": [trailer]})
        sent = {**ALLOWED, "upstream_must_not_have": ["x-cos-acl", "x-cos-copy-source"]}
        cut = {**CLOSED, "upstream": "not-completed"}
        yield case(
            f"TRL-{trailer}", request, {"any": [sent, cut]} if "Length" in trailer or "Encoding" in trailer else sent
        )
    for version in (
        "HTTP/1.0",
        "HTTP/0.9",
        "HTTP/2.0",
        "HTTP/1.2",
        "HTTP/3",
        "http/1.1",
        "HTTP/1.1x",
        "HTTP/11",
        "ICY/1.1",
        "",
    ):
        yield case(
            f"VER-{version}",
            ask("GET", post=[["version", version]]),
            {"any": [CLOSED, ALLOWED, {"status": [505], "upstream": "none"}]},
        )
    for line in ("X-A: b\x00c", "X-A: \x1b[2J", "X-\x00: b", "X A: b", "X-A", "(X): y", "X-A: b\x7f", "X\xe9: y", "X:A: b\x0b", "x_cos_acl: private", "X-A: " + "a" * 17_000,
                 "Expect: 200-ok", "Upgrade: h2c", "TE: trailers, gzip", "Max-Forwards: 0"):  # fmt: skip
        allowed = line[:2] in ("Ex", "Up", "TE", "Ma") or line.startswith("X:A")
        yield case(
            f"LIN-{line!r}"[:40],
            ask("GET", wire={"raw_headers": [line]}),
            {"any": [CLOSED, ALLOWED, {"status": [417], "upstream": "none"}]} if allowed else CLOSED,
        )
    for raw in ("\r\n\r\n", "GET\r\n\r\n", "GET / \r\n\r\n", " GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\n\n", "\x16\x03\x01\x00\xa5\x01", "\x00" * 100, "SSH-2.0-x\r\n", "GET / HTTP/1.1\r\n\r\n",
                "GET /\xe4 HTTP/1.1\r\nHost: x\r\n\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: ${DST_HOST}\r\n\r\n", "GET / HTTP/1.1\r\nHost: ${DST_HOST}\r\n\r\n", "{}\r\n"):  # fmt: skip
        yield case(f"RAW-{raw!r}"[:50], {"raw": raw}, {"status": [400, 403], "upstream": "none", "or_close": True})
    for size in ("8192", "9000", "70000"):
        yield case(f"BIG-target-{size}", ask("GET", path=f"/up/${{REP|{size}|a}}"), CLOSED)
    yield case("BIG-query", ask("GET", query="${SEQ|101|&|a%d=1}"), REFUSED)
    yield case("BIG-headers", ask("GET", headers=[[f"X-{number}", "a" * 200] for number in range(99)]), CLOSED)
    yield case("BIG-fields", ask("GET", headers=[[f"X-{number}", "a"] for number in range(120)]), CLOSED)
    refused_first = ask(
        sign={"mode": "cos", "key": "unknown"},
        wire={"raw_headers": ["Content-Length: ${INNER_LEN}"], "raw_body": "${INNER}", "no_auto_framing": True},
        inner=INNER,
    )
    yield case("BDY-of-a-refused-request-is-no-request", refused_first, {**DENIED, "never_path": "/up/smuggled-${CID}"})


def documents() -> Iterator[Case]:
    """Batch deletes that say two things."""
    good = "<Object><Key>up/a</Key></Object>"
    for text in (
        "<Delete><Object><Key>admin/a</Key></Object></Delete>", f"<Delete>{good}<Object><Key>admin/a</Key></Object></Delete>", "<Delete><Object><Key>&#97;dmin/a</Key></Object></Delete>",
        "<Delete><Object><Key><![CDATA[admin/a]]></Key></Object></Delete>", "<Delete><Object><Key>up/<!-- -->../admin</Key></Object></Delete>", "<Delete><Object><Key>up/a</Key><Key>admin</Key></Object></Delete>",
        "<Delete><Object><Key>up/a<b/></Key></Object></Delete>", "<Delete><Object><Key/></Object></Delete>", "<Delete><Object/></Delete>", "<Delete/>", "", "x", "{}", "<Delete>",
        f"<!DOCTYPE d><Delete>{good}</Delete>", '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>',
        f'<?xml version="1.0" encoding="UTF-16"?><Delete>{good}</Delete>', '<?xml version="1.0" encoding="ISO-8859-1"?><Delete><Object><Key>up/\xe4</Key></Object></Delete>',
        "\xff\xfe<\x00D\x00e\x00l\x00e\x00t\x00e\x00/\x00>\x00", f"<Delete xmlns:x='u'><x:Object><Key>admin/a</Key></x:Object>{good}</Delete>", f"<Delete>{good}<object><Key>admin/a</Key></object></Delete>",
        f"<Delete>{good}</Delete><Delete/>", f"<Delete>{good}</Delete>x", "<Delete>${SEQ|1001||" + good + "}</Delete>", "<Delete>${REP|40|<a>}${REP|40|</a>}</Delete>", f"<X>{good}</X>",
        "<Delete><Object><Key>up/a</Key><VersionId>1</VersionId><VersionId>2</VersionId></Object></Delete>", "<Delete><Object><Key>up/&#0;</Key></Object></Delete>", f"<Delete>{good}text</Delete>",
        "<Delete><Object><Key>up/\x00</Key></Object></Delete>", f"<Delete a='&lt;'>{good}<Quiet>maybe</Quiet></Delete>", "<Delete><Object><Key> admin</Key></Object></Delete>",
    ):  # fmt: skip
        yield case(
            f"XML-{text[:60]}",
            ask("POST", "/", "delete", body=text, md5=True),
            {"status": [400, 403], "upstream": "none"},
        )
    for text in (
        f"<Delete>{good}</Delete>",
        f"<Delete><Quiet>true</Quiet>{good}{good}</Delete>",
        f'<?xml version="1.0" encoding="UTF-8"?><Delete>{good}</Delete>',
    ):
        yield case(f"XML-good-{text[:40]}", ask("POST", "/", "delete", body=text, md5=True), ALLOWED)
    for coding in ("gzip", "identity", "gzip, aws-chunked", "br", "deflate"):
        yield case(
            f"XML-coding-{coding}",
            ask("POST", "/", "delete", [["Content-Encoding", coding]], f"<Delete>{good}</Delete>"),
            REFUSED,
        )
    yield case(
        "XML-too-large",
        ask("POST", "/", "delete", body="<Delete>${REP|3000000| }</Delete>"),
        {**REFUSED, "or_close": True},
    )
    yield case(
        "XML-too-large-declared",
        ask(
            "POST",
            "/",
            "delete",
            wire={"raw_headers": ["Content-Length: 999999999"], "raw_body": "<", "no_auto_framing": True},
        ),
        REFUSED,
    )
    yield case(
        "XML-foreign-bucket", ask("POST", "/", "delete", body=f"<Delete>{good}</Delete>", host="${BOB_HOST}"), REFUSED
    )


def leaks() -> Iterator[Case]:
    """What the log, the control plane and response overrides must not do."""
    for name in ("User-Agent", "Referer", "X-Request-Id", "x-cos-meta-a", "Origin"):
        for value in (
            'x"}\\n{"forged":1',
            "${ALICE_SK}",
            "%0d%0aforged",
            "<script>",
            "\xe4\xb8\xad",
            "${jndi:ldap://x}",
            "\u0085forged",
            "\xe2\x80\xa8",
        ):
            if value != "${ALICE_SK}":
                yield case(f"LOG-{name}-{value[:14]!r}", ask("GET", headers=[[name, value]]), EITHER)
    yield case("LOG-key", ask(path="/up/%22%7D%5C%6E%E2%80%AE%C2%85", body="x"), EITHER)
    for override in (
        "type=text/html",
        "disposition=a%0d%0ax:y",
        "disposition=a%00",
        "language=%0a",
        "type=a%E5%98%8A%E5%98%8DSet-Cookie:x",
    ):
        signed = ask("GET", query=f"response-content-{override}")
        yield case(
            f"RSP-{override}", signed, {"any": [REFUSED, {**ALLOWED, "response_must_not_have": ["Set-Cookie", "x"]}]}
        )
        unsigned = ask("GET", query=f"response-content-{override}", sign={"mode": "none"})
        yield case(f"RSP-unsigned-{override}", unsigned, REFUSED)
    for path in (
        "/",
        "/metrics",
        "/healthz",
        "/readyz",
        "/admin",
        "/api/v1/keys",
        "/.env",
        "/debug/vars",
        "/docs",
        "/openapi.json",
        "/_gateway/config",
        "/healthz/../x",
        "/favicon.ico",
    ):
        for method in ("GET", "POST", "OPTIONS", "HEAD"):
            for host in ("${DST_HOST}", "localhost", "127.0.0.1"):
                yield case(
                    f"ADM-{method}-{path}-{host[:9]}",
                    ask(method, path, host=host, sign={"mode": "none"}),
                    {
                        "status": [400, 403, 405, 411, 501],
                        "upstream": "none",
                        "body_must_not_contain": ["${UP_AK}", "${UP_SK}"],
                    },
                )
    yield case("CPY-signed-good", copy(), ALLOWED)
