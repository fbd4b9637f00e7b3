"""Where Swift does something else than S3 promises: each has a name, and tests look at it in Swift itself.

Nothing else differs. The table of docs/upstream-swift.md is written from this one: `python -m
tests.upstream_swift.deviations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.client_process import ROOT

PAGE = ROOT / "docs" / "upstream-swift.md"
BEGIN, END = "<!-- deviations: begin -->\n", "<!-- deviations: end -->"


@dataclass(frozen=True, slots=True)
class Deviation:
    """`name` is the probe's that shows it, where there is one. `s3` and `swift` are the two answers."""

    name: str
    s3: str
    swift: str
    why: str


ANSWERS = (
    Deviation("another storage class", "200", "400 InvalidStorageClass", "it knows STANDARD only"),
    Deviation("encryption at the server", "200", "501 NotImplemented", "s3api has no such header"),
    Deviation("tags in a header", "200", "501 NotImplemented", "s3api has no tags"),
    Deviation("tags of a bucket that are not set", "404 NoSuchTagSet", "200", "s3api answers with an empty set"),
    Deviation(
        "lifecycle that is not set",
        "404 NoSuchLifecycleConfiguration",
        "200",
        "it does not know the parameter and lists the bucket",
    ),
    Deviation("CORS that is not set", "404 NoSuchCORSConfiguration", "501 NotImplemented", "s3api has none"),
    Deviation("policy that is not set", "404 NoSuchBucketPolicy", "501 NotImplemented", "s3api has none"),
    Deviation(
        "version deleted",
        "204, 404 NoSuchVersion, 200",
        "204, 404 NoSuchKey, 200",
        "it has one code for objects and versions that are not there",
    ),
    Deviation(
        "list of uploads that fits is not cut",
        "false",
        "true",
        "a list that is exactly as long as was asked for says that there is more",
    ),
)
"""Those that a probe shows; the gateway passes them on as they are."""

FUTURE = Deviation(
    "what was just made",
    "made before now",
    "made up to one second from now",
    "times are whole seconds, rounded up; rclone's clean-up and s5cmd's list leave out what is from the future",
)
ONE_REGION = Deviation(
    "region of a signature",
    "that of the bucket",
    "400 AuthorizationHeaderMalformed for all but one",
    "s3api has one `location`; all buckets are declared in it, so copies between regions are not tried here",
)
OTHERS = (FUTURE, ONE_REGION)

LATER = {("rclone", "abort"), ("s5cmd", "list_keys")}
"""Abilities that are asked for in the next second, because of FUTURE."""


def render_table() -> str:
    lines = ["| what | S3 | Swift | why |", "|---|---|---|---|"]
    lines += [f"| {one.name} | {one.s3} | {one.swift} | {one.why} |" for one in (*ANSWERS, *OTHERS)]
    return "\n".join(lines) + "\n"


def write(page: Path = PAGE) -> None:
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}{render_table()}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    write()
