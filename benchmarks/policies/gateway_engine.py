"""The gateway's own engine on the workload: prints one line of JSON. Trace and reasons are kept, as in service."""

from __future__ import annotations

import argparse
import json
from time import process_time

from benchmarks.policies.workload import REGION, Question, grants, microseconds, questions, resident_bytes
from cos.byte_range import ByteRange
from cos.values import Bucket, ObjectKey, PartNumber, Region
from policies.loading import DocumentSource, load_policies
from policies.request import AccessRequest, Caller, Resource

ASKED = 20_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--statements", type=int, required=True)
    granted = grants(parser.parse_args().statements)
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
    weight = resident_bytes() - before
    timings = {}
    for name, allowed in (("allow", True), ("deny", False)):
        asked = [_request(question) for question in questions(granted, ASKED, allowed=allowed)]

        def decide(asked: list[AccessRequest] = asked) -> int:
            return sum(policies.decide(request).allowed for request in asked)

        timings[name] = microseconds(decide, ASKED, ASKED if allowed else 0)
    print(json.dumps({"microseconds": timings, "resident_bytes": weight, "load_seconds": loaded}))


def _request(question: Question) -> AccessRequest:
    grant = question.grant
    return AccessRequest(
        caller=Caller(grant.principal, "key"),
        action="cos:UploadPartCopy",
        resource=Resource(Bucket(grant.destination), ObjectKey("film.mov"), Region(REGION)),
        source=Resource(Bucket(grant.source), ObjectKey("incoming/film.mov"), Region(REGION)),
        part_number=PartNumber(1),
        byte_range=ByteRange(0, question.length - 1),
    )


if __name__ == "__main__":
    main()
