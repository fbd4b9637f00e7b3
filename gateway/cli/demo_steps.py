"""The steps of the guided copy, each of which checks what it shows."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cos.byte_range import ByteRange
from cos.values import Bucket, Region
from cos.xml import element, render_document
from gateway.cli.demo_client import Answer, DemoClient, Place

MIB = 1024**2
GIB = 1024**3
PART_BYTES = 10 * MIB
PARALLEL_PARTS = 8

_GUANGZHOU, _SHANGHAI = Region("ap-guangzhou"), Region("ap-shanghai")
FILM = Place(Bucket("raw-1250000000"), _GUANGZHOU, "incoming/film.mov")
ARCHIVE = Place(Bucket("raw-1250000000"), _GUANGZHOU, "incoming/archive.tar")
DRAFT = Place(Bucket("raw-1250000000"), _GUANGZHOU, "incoming/draft.txt")
REPORT = Place(Bucket("finance-1250000000"), _GUANGZHOU, "reports/q3.xlsx")
OLD_FILM = Place(Bucket("archive-1250000000"), _SHANGHAI, "incoming/old-film.mov")
DESTINATION = Place(Bucket("media-1250000000"), _GUANGZHOU, "films/film.mov")


class StepFailed(Exception):
    """What was shown is not what happened."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A part copy that must be refused: what is tried, and how the gateway must answer."""

    title: str
    source: Place
    byte_range: ByteRange
    status: int
    code: str
    reason: str
    """A text the message must hold: the rule that refused, or COS's own words."""
    if_match: str | None = None


class GuidedCopy:
    """One successful copy and four refusals. `caller` uses the gateway, `owner` COS itself."""

    def __init__(self, caller: DemoClient, owner: DemoClient, console: Console) -> None:
        self._caller = caller
        self._owner = owner
        self._console = console

    async def run(self) -> None:
        """Raises StepFailed at the first step that does not behave."""
        size = await self._size(FILM)
        upload_id = await self._initiate()
        etags = await self._copy_parts(upload_id, size)
        await self._complete(upload_id, etags)
        await self._compare()
        await self._refusals()

    async def _size(self, place: Place) -> int:
        answer = await self._caller.call("HEAD", place)
        _expect(answer, 200)
        return int(answer.headers[b"content-length"])

    async def _initiate(self) -> str:
        answer = await self._caller.call("POST", DESTINATION, (("uploads", ""),))
        _expect(answer, 200)
        return answer.element("UploadId")

    async def _copy_parts(self, upload_id: str, size: int) -> list[str]:
        ranges = [ByteRange(first, min(first + PART_BYTES, size) - 1) for first in range(0, size, PART_BYTES)]
        self._console.print(f"Copying [bold]{FILM}[/bold]\n     to [bold]{DESTINATION}[/bold]")
        self._console.print(f"  {size / MIB:.1f} MiB in {len(ranges)} parts, {PARALLEL_PARTS} at a time")
        places = asyncio.Semaphore(PARALLEL_PARTS)
        columns = (TextColumn("  parts"), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn())
        with Progress(*columns, console=self._console, disable=not self._console.is_terminal) as progress:
            task = progress.add_task("parts", total=size)

            async def copy(number: int, byte_range: ByteRange) -> str:
                async with places:
                    answer = await self._part_copy(FILM, byte_range, number=number, upload_id=upload_id)
                _expect(answer, 200)
                progress.advance(task, byte_range.length_bytes)
                return answer.element("ETag")

            etags = await asyncio.gather(*(copy(n, byte_range) for n, byte_range in enumerate(ranges, 1)))
        self._console.print(f"  [green]✓[/green] {len(etags)} parts: signed, judged, re-signed, copied inside COS")
        return list(etags)

    async def _complete(self, upload_id: str, etags: list[str]) -> None:
        parts = [
            element("Part", element("PartNumber", str(number)), element("ETag", etag))
            for number, etag in enumerate(etags, 1)
        ]
        body = render_document(element("CompleteMultipartUpload", *parts))
        answer = await self._caller.call("POST", DESTINATION, (("uploadId", upload_id),), body=body)
        _expect(answer, 200)
        self._console.print(f"  [green]✓[/green] completed, ETag {escape(answer.element('ETag'))}")

    async def _compare(self) -> None:
        source, destination = await asyncio.gather(self._sha256(FILM), self._sha256(DESTINATION))
        if source != destination:
            raise StepFailed(f"source and copy differ: SHA-256 {source} and {destination}")
        self._console.print(f"  [green]✓[/green] both read back, byte for byte the same: SHA-256 {source[:16]}…")

    async def _sha256(self, place: Place) -> str:
        digest = hashlib.sha256()
        async for piece in self._caller.download(place):
            digest.update(piece)
        return digest.hexdigest()

    async def _refusals(self) -> None:
        seen_etag = (await self._caller.call("HEAD", DRAFT)).headers[b"etag"].decode("ascii")
        _expect(await self._owner.call("PUT", DRAFT, body=b"second version of the draft\n" * 100_000), 200)
        self._console.print("\nNow four copies that must not happen:")
        upload_id = await self._initiate()
        part = ByteRange(0, MIB - 1)
        for refusal in (
            Refusal("a source of another team", REPORT, part, 403, "AccessDenied", "source.bucket"),
            Refusal("a range of 2 GiB", ARCHIVE, ByteRange(0, 2 * GIB - 1), 403, "AccessDenied", "range.max"),
            Refusal("a source in another region", OLD_FILM, part, 403, "AccessDenied", "same_region"),
            Refusal(
                "a source that changed since it was looked at",
                DRAFT,
                part,
                412,
                "PreconditionFailed",
                "",
                if_match=seen_etag,
            ),
        ):
            await self._refused(refusal, upload_id)
        _expect(await self._caller.call("DELETE", DESTINATION, (("uploadId", upload_id),)), 204)

    async def _refused(self, refusal: Refusal, upload_id: str) -> None:
        answer = await self._part_copy(
            refusal.source, refusal.byte_range, number=1, upload_id=upload_id, if_match=refusal.if_match
        )
        code, message = answer.element("Code"), answer.element("Message")
        if (answer.status, code) != (refusal.status, refusal.code) or refusal.reason not in message:
            raise StepFailed(
                f"{refusal.title}: expected {refusal.status} {refusal.code} for {refusal.reason!r}, "
                f"got {answer.status} {code}: {message}"
            )
        self._console.print(f"  [green]✓[/green] {refusal.title}: [bold]{answer.status} {code}[/bold]")
        self._console.print(f"    {escape(message)}", soft_wrap=True)
        decision = answer.element("DecisionId")
        if decision:
            self._console.print(f"    decision {decision}", style="dim")

    async def _part_copy(
        self, source: Place, byte_range: ByteRange, *, number: int, upload_id: str, if_match: str | None = None
    ) -> Answer:
        headers = [
            (b"x-cos-copy-source", source.as_source),
            (b"x-cos-copy-source-range", byte_range.text.encode("ascii")),
        ]
        if if_match is not None:
            headers.append((b"x-cos-copy-source-if-match", if_match.encode("ascii")))
        query = (("partNumber", str(number)), ("uploadId", upload_id))
        return await self._caller.call("PUT", DESTINATION, query, tuple(headers))


def _expect(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise StepFailed(f"expected status {status}, got {answer.status}: {answer.body[:400]!r}")
