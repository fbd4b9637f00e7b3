"""Upload Part - Copy, "Request headers": the four conditions, their lawful pairs and the conflicting ones.

Times are asked relative to the source's own Last-Modified, on both sides of the second.
Source: COS API, "Upload Part - Copy" (436/8287).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from itertools import combinations

import pytest

from tests.support.expect import assert_error
from tests.support.names import SOURCE, VERSIONED
from tests.support.site import Site, fresh_key, part_etag, pattern, quoted_md5

CONTENT = pattern(300, seed=2)
NAMES = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
LAWFUL_PAIRS = [("if-match", "if-unmodified-since"), ("if-none-match", "if-modified-since")]
CONFLICTS = [
    names for size in (2, 3, 4) for names in combinations(NAMES, size) if size > 2 or tuple(names) not in LAWFUL_PAIRS
]


@dataclass(frozen=True, slots=True)
class Source:
    """An object and the values that its conditions are about."""

    key: str
    etag: str
    last_modified: str

    def at(self, offset_seconds: int) -> str:
        """An HTTP date this far from the object's Last-Modified."""
        moment = parsedate_to_datetime(self.last_modified) + timedelta(seconds=offset_seconds)
        return format_datetime(moment, usegmt=True)

    def holding(self, name: str) -> str:
        """A value with which the condition holds."""
        return {
            "if-match": self.etag,
            "if-none-match": OTHER_ETAG,
            "if-modified-since": self.at(-3600),
            "if-unmodified-since": self.at(3600),
        }[name]

    def failing(self, name: str) -> str:
        """A value with which the condition does not hold."""
        return {
            "if-match": OTHER_ETAG,
            "if-none-match": self.etag,
            "if-modified-since": self.at(3600),
            "if-unmodified-since": self.at(-3600),
        }[name]


OTHER_ETAG = quoted_md5(b"something else")


@pytest.fixture
async def source(cos: Site) -> Source:
    key = await cos.seed(SOURCE, CONTENT)
    head = await cos.head(SOURCE, key)
    etag, last_modified = head.header("etag"), head.header("last-modified")
    assert etag == quoted_md5(CONTENT)
    assert last_modified is not None
    return Source(key, etag, last_modified)


async def copy(cos: Site, source: Source, conditions: dict[str, str]) -> bool:
    """Whether the copy is executed; a copy that is not must be the documented 412 and leave no part."""
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, SOURCE.source(source.key), conditions=conditions)
    if answer.status == 200:
        assert part_etag(answer) == source.etag
        return True
    assert_error(answer, 412, "PreconditionFailed")
    assert answer.text("Message") == "Precondition not match."
    assert b"<Part>" not in (await cos.list_parts(upload)).body
    return False


async def test_if_match_copies_when_the_etag_is_the_same(cos: Site, source: Source) -> None:
    assert await copy(cos, source, {"if-match": source.etag})


async def test_if_match_answers_412_when_the_etag_differs(cos: Site, source: Source) -> None:
    assert not await copy(cos, source, {"if-match": OTHER_ETAG})


async def test_if_none_match_copies_when_the_etag_differs(cos: Site, source: Source) -> None:
    assert await copy(cos, source, {"if-none-match": OTHER_ETAG})


async def test_if_none_match_answers_412_when_the_etag_is_the_same(cos: Site, source: Source) -> None:
    assert not await copy(cos, source, {"if-none-match": source.etag})


@pytest.mark.parametrize(
    ("name", "offset_seconds", "copied"),
    [
        ("if-modified-since", -3600, True),
        ("if-modified-since", -1, True),
        ("if-modified-since", 0, False),
        ("if-modified-since", 1, False),
        ("if-modified-since", 3600, False),
        ("if-unmodified-since", -3600, False),
        ("if-unmodified-since", -1, False),
        ("if-unmodified-since", 0, True),
        ("if-unmodified-since", 1, True),
        ("if-unmodified-since", 3600, True),
    ],
)
async def test_a_time_condition_compares_with_the_sources_last_modified(
    cos: Site, source: Source, name: str, offset_seconds: int, copied: bool
) -> None:
    assert await copy(cos, source, {name: source.at(offset_seconds)}) is copied


@pytest.mark.parametrize(
    ("spelling", "copied"),
    [("{quoted}", True), ("{bare}", True), ("{other}, {quoted}", True), ("{other}", False), ("*", True)],
    ids=["quoted", "unquoted", "list", "other", "any"],
)
async def test_if_match_reads_every_spelling_clients_send(
    cos: Site, source: Source, spelling: str, copied: bool
) -> None:
    value = spelling.format(quoted=source.etag, bare=source.etag.strip('"'), other=OTHER_ETAG)
    assert await copy(cos, source, {"if-match": value}) is copied


@pytest.mark.parametrize("pair", LAWFUL_PAIRS, ids="+".join)
@pytest.mark.parametrize("first_holds", [True, False])
@pytest.mark.parametrize("second_holds", [True, False])
async def test_a_lawful_pair_copies_only_when_both_hold(
    cos: Site, source: Source, pair: tuple[str, str], first_holds: bool, second_holds: bool
) -> None:
    conditions = {
        name: source.holding(name) if holds else source.failing(name)
        for name, holds in zip(pair, (first_holds, second_holds), strict=True)
    }
    assert await copy(cos, source, conditions) is (first_holds and second_holds)


@pytest.mark.parametrize("names", CONFLICTS, ids="+".join)
async def test_any_other_combination_conflicts_even_when_all_hold(
    cos: Site, source: Source, names: tuple[str, ...]
) -> None:
    upload = await cos.initiate()
    conditions = {name: source.holding(name) for name in names}
    answer = await cos.copy_part(upload, SOURCE.source(source.key), conditions=conditions)
    # The document says "conflict" and names neither status nor code: any refusal that is not the 412 of a
    # condition that failed.
    assert answer.status in (400, 409), answer
    assert_error(answer, answer.status, "InvalidRequest", "InvalidArgument", "PathConflict")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


@pytest.mark.parametrize("name", NAMES)
async def test_condition_names_are_case_insensitive_as_the_document_writes_them(
    cos: Site, source: Source, name: str
) -> None:
    upload = await cos.initiate()
    documented = "-".join(word.capitalize() for word in name.split("-"))
    answer = await cos.copy_part(upload, SOURCE.source(source.key), conditions={documented: source.failing(name)})
    assert_error(answer, 412, "PreconditionFailed")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("if-modified-since", "yesterday"),
        ("if-modified-since", "2017-09-04T04:45:45Z"),
        ("if-unmodified-since", "1505706248"),
        ("if-unmodified-since", "Mon, 99 Sep 2017 04:45:45 GMT"),
        ("if-match", '"unterminated'),
        ("if-none-match", '"a",'),
        ("if-match", ""),
        ("if-modified-since", ""),
    ],
)
async def test_a_condition_that_cannot_be_read_never_copies(cos: Site, source: Source, name: str, value: str) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, SOURCE.source(source.key), conditions={name: value})
    assert_error(answer, 400, "InvalidArgument")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_conditions_judge_the_named_version_not_the_current_one(cos: Site) -> None:
    key = fresh_key("versioned")
    first = await cos.seed_version(VERSIONED, key, b"first")
    await cos.seed_version(VERSIONED, key, b"second")
    upload = await cos.initiate()
    source = VERSIONED.source(key, first)
    refused = await cos.copy_part(upload, source, conditions={"if-match": quoted_md5(b"second")})
    assert_error(refused, 412, "PreconditionFailed")
    copied = await cos.copy_part(upload, source, conditions={"if-match": quoted_md5(b"first")})
    assert part_etag(copied) == quoted_md5(b"first")
