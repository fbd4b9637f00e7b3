"""The gateway's own engine on the workload: prints one line of JSON. Trace and reasons are kept, as in service.

All sets are in one process, and their rounds are interleaved, every other one backwards. A request is made a moment
before it is judged, from texts of its own, as reading one makes it: what is cold in the caches is the policy. Each is
about an object of its own, as the first part of a copy is; `again` are the parts that follow.
"""

from __future__ import annotations

import argparse
import json
from itertools import count
from statistics import median
from time import process_time

from benchmarks.policies.workload import MAX_BYTES, REGION, Grant, Question, grants, questions, resident_bytes
from cos.byte_range import ByteRange
from cos.values import Bucket, ObjectKey, PartNumber, Region
from gateway.process.garbage import settle
from policies.loading import DocumentSource, PolicySet, load_policies
from policies.request import AccessRequest, Caller, Resource

ROUNDS = 31
ASKED = 4_000
"""Decisions of one round, the same in each."""
MADE = 20
"""Requests made at once, and then judged."""
WAYS = (("allow", MAX_BYTES), ("deny", MAX_BYTES + 1), ("again", MAX_BYTES))
"""`again`: the same statement allows the same copy every time."""
_objects = count()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--statements", type=int, nargs="+", required=True)
    sizes = parser.parse_args().statements
    found = {size: _loaded(size) for size in sizes}
    # As the running gateway does when everything is loaded.
    settle()
    timings: dict[int, dict[str, list[float]]] = {size: {name: [] for name, _ in WAYS} for size in sizes}
    for number in range(ROUNDS):
        for size in sizes if number % 2 else sizes[::-1]:
            policies, granted, _ = found[size]
            for name, length in WAYS:
                asked = questions(granted[:1] if name == "again" else granted, ASKED, allowed=name != "deny")
                assert all(question.length == length for question in asked)
                timings[size][name].append(_round(policies, asked, first=name != "again"))
    print(json.dumps({size: {**found[size][2], **_described(timings[size])} for size in sizes}))


def _loaded(size: int) -> tuple[PolicySet, list[Grant], dict[str, float]]:
    granted = grants(size)
    text = "version: 1\nstatements:\n" + "".join(
        f"- {{id: s{number}, effect: allow, principals: ['{grant.principal}'], actions: ['cos:UploadPartCopy'], "
        f"source: {{bucket: {grant.source}, key: 'incoming/*', region: {REGION}}}, "
        f"destination: {{bucket: {grant.destination}, key: '*'}}, "
        "when: {same_region: true, range: {required: true, max: 1GiB}}}\n"
        for number, grant in enumerate(granted)
    )
    before, started = resident_bytes(), process_time()
    policies = load_policies([DocumentSource("benchmark.yaml", text)])
    loaded = process_time() - started
    return policies, granted, {"resident_bytes": resident_bytes() - before, "load_seconds": loaded}


def _round(policies: PolicySet, asked: list[Question], *, first: bool) -> float:
    """Microseconds of CPU per decision. `first`: none of the objects was asked about before."""
    decide = policies.decide
    spent = 0.0
    allowed = 0
    for start in range(0, len(asked), MADE):
        requests = [
            _request(question, f"incoming/film-{next(_objects)}.mov" if first else _fresh("incoming/film.mov"))
            for question in asked[start : start + MADE]
        ]
        started = process_time()
        decisions = [decide(request) for request in requests]
        spent += process_time() - started
        allowed += sum(decision.allowed for decision in decisions)
    assert allowed == sum(question.length <= MAX_BYTES for question in asked)
    return spent / len(asked) * 1e6


def _described(timings: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    return {
        "microseconds": {name: median(rounds) for name, rounds in timings.items()},
        "spread": {name: (max(rounds) - min(rounds)) / median(rounds) for name, rounds in timings.items()},
    }


def _request(question: Question, key: str) -> AccessRequest:
    grant = question.grant
    return AccessRequest(
        caller=Caller(_fresh(grant.principal), "key"),
        action="cos:UploadPartCopy",
        resource=Resource(Bucket(_fresh(grant.destination)), ObjectKey("film.mov"), Region(REGION)),
        source=Resource(Bucket(_fresh(grant.source)), ObjectKey(key), Region(REGION)),
        part_number=PartNumber(1),
        byte_range=ByteRange(0, question.length - 1),
    )


def _fresh(text: str) -> str:
    """An equal text that is another object, as one that was received is."""
    return str(text.encode("ascii"), "ascii")


if __name__ == "__main__":
    main()
