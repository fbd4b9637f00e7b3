"""What answers a form once its object is stored: a status, a document, or the one redirect there is.

Source: COS API, "POST Object" (436/14690), success_action_status and success_action_redirect; reference page §4.
"""

from __future__ import annotations

from urllib.parse import urlencode

from cos.forms.upload import FormUpload
from cos.target import render_path
from cos.xml import element, render_document


def render_form_answer(
    upload: FormUpload, headers: list[tuple[bytes, bytes]]
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, fields and body that answer a form once its object is stored.

    `headers` are those of the PUT's answer. A redirect carries bucket, key and ETag in its query, as COS's does.
    """
    etag = next((value for name, value in headers if name == b"etag"), b"").decode("latin-1")
    bucket, key = upload.address.bucket or "", upload.address.key or ""
    kept = [field for field in headers if field[0] not in (b"content-length", b"content-type")]
    if upload.redirect is not None:
        joint = "&" if "?" in upload.redirect else "?"
        query = urlencode({"bucket": bucket, "key": key, "etag": etag})
        kept.append((b"location", f"{upload.redirect}{joint}{query}".encode("ascii")))
        return 303, [*kept, (b"content-length", b"0")], b""
    location = f"http://{upload.request.host}".encode() + render_path(b"/" + key.encode("utf-8"))
    kept.append((b"location", location))
    if upload.status == 204:
        return 204, kept, b""
    body = b""
    if upload.status == 201:
        body = render_document(
            element(
                "PostResponse",
                element("Location", location.decode("ascii")),
                element("Bucket", bucket),
                element("Key", key),
                element("ETag", etag),
            )
        )
        kept.append((b"content-type", b"application/xml"))
    return upload.status, [*kept, (b"content-length", b"%d" % len(body))], body
