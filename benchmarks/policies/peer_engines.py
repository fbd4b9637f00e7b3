"""cel-python and cedarpy on the workload: prints one line of JSON. Runs in an environment that has them.

cel-python knows no principals: the caller's programs are found by a dictionary here and tried until one allows.
cedarpy gets the whole policy set, parsed once, and no entities. Neither is asked for reasons.
"""

from __future__ import annotations

import argparse
import json
from time import process_time

from benchmarks.policies.workload import (
    MAX_BYTES,
    REGION,
    Grant,
    Question,
    grants,
    microseconds,
    questions,
    resident_bytes,
)

SECONDS = 20.0
"""About how long one measurement may take; slow engines are asked less often."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=("cel", "cedar"), required=True)
    parser.add_argument("--statements", type=int, required=True)
    chosen = parser.parse_args()
    granted = grants(chosen.statements)
    print(json.dumps((_cel if chosen.engine == "cel" else _cedar)(granted)))


def _cel(granted: list[Grant]) -> dict[str, object]:
    import celpy
    from celpy.celtypes import IntType, StringType

    before, started = resident_bytes(), process_time()
    environment = celpy.Environment()
    programs: dict[str, list[object]] = {}
    for grant in granted:
        text = (
            f'source == "{grant.source}" && destination == "{grant.destination}" && key.startsWith("incoming/") '
            f"&& source_region == destination_region && length <= {MAX_BYTES}"
        )
        programs.setdefault(grant.principal, []).append(environment.program(environment.compile(text)))
        if process_time() - started > SECONDS * 3:
            each = (process_time() - started) / sum(map(len, programs.values()))
            return {"skipped": f"not loaded: {each * 1000:.1f} ms to compile a statement"}
    loaded, weight = process_time() - started, resident_bytes() - before

    def ask(question: Question) -> bool:
        grant = question.grant
        context = {
            "source": StringType(grant.source),
            "destination": StringType(grant.destination),
            "key": StringType("incoming/film.mov"),
            "source_region": StringType(REGION),
            "destination_region": StringType(REGION),
            "length": IntType(question.length),
        }
        return any(bool(program.evaluate(context)) for program in programs[grant.principal])  # type: ignore[attr-defined]

    return _measured(granted, ask, loaded, weight)


def _cedar(granted: list[Grant]) -> dict[str, object]:
    import cedarpy

    before, started = resident_bytes(), process_time()
    text = "\n".join(
        f'permit(principal == Team::"{grant.principal}", action == Action::"UploadPartCopy", '
        f'resource == Bucket::"{grant.destination}") when {{ context.source == "{grant.source}" && '
        f'context.key like "incoming/*" && context.source_region == context.destination_region && '
        f"context.length <= {MAX_BYTES} }};"
        for grant in granted
    )
    policies = cedarpy.PolicySet.from_str(text)
    entities = cedarpy.Entities.from_json_str("[]")
    loaded, weight = process_time() - started, resident_bytes() - before

    def ask(question: Question) -> bool:
        grant = question.grant
        request = {
            "principal": {"type": "Team", "id": grant.principal},
            "action": {"type": "Action", "id": "UploadPartCopy"},
            "resource": {"type": "Bucket", "id": grant.destination},
            "context": {
                "source": grant.source,
                "key": "incoming/film.mov",
                "source_region": REGION,
                "destination_region": REGION,
                "length": question.length,
            },
        }
        return bool(cedarpy.is_authorized(request, policies, entities).allowed)

    return _measured(granted, ask, loaded, weight)


def _measured(granted: list[Grant], ask: object, loaded: float, weight: int) -> dict[str, object]:
    assert callable(ask)
    timings = {}
    for name, allowed in (("allow", True), ("deny", False)):
        trial = questions(granted, 3, allowed=allowed)
        started = process_time()
        for question in trial:
            ask(question)
        once = (process_time() - started) / len(trial)
        count = max(3, min(2000, int(SECONDS / 10 / once)))
        asked = questions(granted, count, allowed=allowed)

        def decide(asked: list[Question] = asked) -> int:
            return sum(ask(question) for question in asked)

        timings[name] = microseconds(decide, count, count if allowed else 0)
    return {"microseconds": timings, "resident_bytes": weight, "load_seconds": loaded}


if __name__ == "__main__":
    main()
