"""COS's own rules for copies. They apply before any document, and no document can relax them.

What parsing already refuses is not repeated: part numbers 1 to 10,000, the grammar of ranges, copies with a
body. A violation carries the code COS would answer with, so that it is a 400 and not a refusal by policy.
Source: COS API, "Upload Part - Copy" and "PUT Object - Copy".
"""

from __future__ import annotations

from cos.byte_range import MAX_PART_BYTES
from policies.decision import Violation
from policies.request import AccessRequest
from policies.sizes import render_size
from policies.statement import COPYING_ACTIONS


def check_builtin(request: AccessRequest) -> Violation | None:
    """The first of COS's rules that a request breaks."""
    if request.source is None:
        if request.action in COPYING_ACTIONS:
            return Violation("cos.copy_source", "the copy names no source", "InvalidRequest")
        return None
    if request.action not in COPYING_ACTIONS:
        return Violation("cos.copy_source", f"{request.action} takes no copy source", "InvalidRequest")
    return check_copied(request)


def check_copied(request: AccessRequest) -> Violation | None:
    """The first of the rules that a copy breaks whatever its ends are: what may differ between the parts of one."""
    conditions, asked = request.conditions, request.byte_range
    if conditions is not None and conditions.present and conditions.conflict:
        given = " and ".join(sorted(conditions.present))
        return Violation("cos.conditions", f"{given} given, COS accepts no such combination", "InvalidRequest")
    # The bytes one part takes, as far as known. A whole-object copy within a region may be larger than a part.
    if asked is not None:
        length: int | None = asked.last - asked.first + 1
    else:
        length = request.facts.source_size_bytes if request.action == "cos:UploadPartCopy" else None
    if length is not None and length > MAX_PART_BYTES:
        return Violation(
            "cos.range", f"{render_size(length)} asked, COS copies at most {render_size(MAX_PART_BYTES)} at once",
            "EntityTooLarge",
        )  # fmt: skip
    return None
