"""For command lines: coscmd, coscli, the AWS CLI, rclone, s3cmd and s5cmd."""

from __future__ import annotations

import textwrap
from urllib.parse import urlsplit

from gateway.cli.snippets.place import SAMPLE_KEY, goes_by_name


def coscmd_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For coscmd, with a configuration file of its own."""
    parts = urlsplit(endpoint)
    named = goes_by_name(endpoint)
    way = f"-e {parts.netloc}" if named else f"-r {region}"
    proxy = "" if named else f"export http_proxy={endpoint}\n"
    plain = " --do-not-use-ssl" if parts.scheme == "http" else ""
    return (
        f"{proxy}"
        f"coscmd -c gateway.conf config -a {key_id} -s {secret} -b {bucket} {way}{plain}\n"
        f"coscmd -c gateway.conf copy {source}.cos.{region}.myqcloud.com/{SAMPLE_KEY} films/film.mov\n"
        f"coscmd -c gateway.conf list films/\n"
    )


def coscli_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For coscli 1.x, with a configuration file of its own."""
    parts = urlsplit(endpoint)
    named = goes_by_name(endpoint)
    host = parts.netloc if named else f"cos.{region}.myqcloud.com"
    # With its own long connections coscli looks at no proxy.
    proxy, flags = ("", "") if named else (f"export HTTP_PROXY={endpoint}\n", " --disable-long-links")
    return (
        "cat > gateway-coscli.yaml <<'END'\n"
        + textwrap.dedent(f"""\
            cos:
              base:
                secretid: {key_id}
                secretkey: {secret}
                sessiontoken: ""
                protocol: {parts.scheme}
                mode: SecretKey
                closeautoswitchhost: "true"
                disableencryption: "true"
              buckets:
                - {{name: {bucket}, alias: media, region: {region}, endpoint: "{host}"}}
                - {{name: {source}, alias: raw, region: {region}, endpoint: "{host}"}}
            """)
        + f"END\nchmod 600 gateway-coscli.yaml\n{proxy}"
        + f"coscli -c gateway-coscli.yaml cp cos://raw/{SAMPLE_KEY} cos://media/films/film.mov{flags}\n"
    )


def aws_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For the AWS CLI, the S3 way. It copies in parts from 8 MB on."""
    return textwrap.dedent(f"""\
        export AWS_ACCESS_KEY_ID={key_id} AWS_SECRET_ACCESS_KEY={secret} AWS_DEFAULT_REGION={region}
        export AWS_ENDPOINT_URL_S3={endpoint} AWS_CONFIG_FILE=$PWD/gateway-aws.ini
        export AWS_REQUEST_CHECKSUM_CALCULATION=when_required AWS_RESPONSE_CHECKSUM_VALIDATION=when_required
        aws configure set default.s3.addressing_style path
        aws s3 cp s3://{source}/{SAMPLE_KEY} s3://{bucket}/films/film.mov
        """)


def rclone_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For rclone, the S3 way."""
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": endpoint,
        "REGION": region,
        "ACCESS_KEY_ID": key_id,
        "SECRET_ACCESS_KEY": secret,
        "FORCE_PATH_STYLE": "true",
        "NO_CHECK_BUCKET": "true",
        "COPY_CUTOFF": "64Mi",
    }
    exports = "".join(f"export RCLONE_CONFIG_GATEWAY_{name}={value}\n" for name, value in settings.items())
    return f"{exports}rclone copyto gateway:{source}/{SAMPLE_KEY} gateway:{bucket}/films/film.mov\n"


def s3cmd_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For s3cmd, with a configuration file of its own. No place for the bucket in `host_bucket` means path style."""
    parts = urlsplit(endpoint)
    return (
        "cat > gateway-s3cmd.ini <<'END'\n"
        + textwrap.dedent(f"""\
            [default]
            access_key = {key_id}
            secret_key = {secret}
            host_base = {parts.netloc}
            host_bucket = {parts.netloc}
            bucket_location = {region}
            use_https = {parts.scheme == "https"}
            multipart_copy_chunk_size_mb = 64
            """)
        + "END\nchmod 600 gateway-s3cmd.ini\n"
        + f"s3cmd -c gateway-s3cmd.ini cp s3://{source}/{SAMPLE_KEY} s3://{bucket}/films/film.mov\n"
    )


def s5cmd_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For s5cmd. Without a region it asks for that of every bucket."""
    return textwrap.dedent(f"""\
        export AWS_ACCESS_KEY_ID={key_id} AWS_SECRET_ACCESS_KEY={secret} AWS_REGION={region}
        export S3_ENDPOINT_URL={endpoint}
        s5cmd cp s3://{source}/{SAMPLE_KEY} s3://{bucket}/films/film.mov
        """)
