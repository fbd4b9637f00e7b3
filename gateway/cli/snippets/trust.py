"""How a client is told to believe the certificate of a gateway that speaks TLS, and when it has to go by name."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.cli.snippets.place import has_bucket_names

CA_VARIABLES = {
    "python": "REQUESTS_CA_BUNDLE",
    "coscmd": "REQUESTS_CA_BUNDLE",
    "boto3": "AWS_CA_BUNDLE",
    "aws": "AWS_CA_BUNDLE",
    "s3fs": "AWS_CA_BUNDLE",
    "s5cmd": "AWS_CA_BUNDLE",
    "go": "SSL_CERT_FILE",
    "coscli": "SSL_CERT_FILE",
    "minio": "SSL_CERT_FILE",
    "s3cmd": "SSL_CERT_FILE",
    "node": "NODE_EXTRA_CA_CERTS",
    "aws-js": "NODE_EXTRA_CA_CERTS",
    "rclone": "RCLONE_CA_CERT",
    "java": "JAVA_TOOL_OPTIONS",
}
"""The environment variable that names a PEM file of authorities; Java's names a trust store."""
SHELLS = frozenset({"coscmd", "coscli", "aws", "rclone", "s3cmd", "s5cmd"})
BY_NAME = frozenset({"go", "node", "coscmd", "coscli"})
"""They find an address only as an HTTP proxy, and a proxy sees nothing of https but a tunnel."""
_SLASHES = frozenset({"go", "java", "node", "aws-js"})


def trust_lines(sdk: str, endpoint: str, ca: str | None) -> str:
    """What stands above a snippet for an https endpoint; nothing for http. `ca` is the file of its authority."""
    parts = urlsplit(endpoint)
    if parts.scheme != "https":
        return ""
    comment = "//" if sdk in _SLASHES else "#"
    variable, file = CA_VARIABLES[sdk], ca or "/path/to/ca.pem"
    value = f'"-Djavax.net.ssl.trustStore={file} -Djavax.net.ssl.trustStoreType=PEM"' if sdk == "java" else file
    export = f"export {variable}={value}"
    if ca is None:
        lines = f"{comment} If its certificate is a private authority's: {export}\n"
    elif sdk in SHELLS:
        lines = f"{export}\n"
    else:
        lines = f"{comment} Run it with: {export}\n"
    if sdk in BY_NAME and not has_bucket_names(endpoint):
        lines += (
            f"{comment} Over TLS this client needs a name for the gateway: <bucket>.{parts.netloc} must lead to it.\n"
        )
    return lines
