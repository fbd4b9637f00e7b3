"""How large an object may become, whichever way it is written.

| action                         | what is judged                                                            |
|--------------------------------|---------------------------------------------------------------------------|
| PutObjectCopy                  | the size of the source, measured                                          |
| PutObject, PostObject, Append  | the declared length of the body                                           |
| UploadPart, UploadPartCopy     | one part: what is more than the whole may be is refused at once           |
| CompleteMultipartUpload        | the parts the completion names, measured: what the object will be         |

The size of a multipart object is settled at its completion, because parts may come in any order, be replaced
and be left out. Other operations write no object, and hold no size against the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policies.decision import Fact, Outcome, Unknown, Violation
from policies.request import AccessRequest
from policies.rule import rule
from policies.sizes import Size, render_size

_BODIES = frozenset({"cos:PutObject", "cos:PostObject", "cos:AppendObject", "cos:UploadPart"})
_COMPLETE = "cos:CompleteMultipartUpload"


@rule("object_size", shorthand="max")
@dataclass(frozen=True, slots=True)
class ObjectSizeRule:
    """Bounds the total size of the object that is written."""

    max: Size = field(metadata={"doc": "Most bytes of the whole object, inclusive."})

    def check(self, request: AccessRequest) -> Outcome:
        if request.source is not None:
            return self._check_copy(request)
        if request.action == _COMPLETE:
            return self._check_size(request.facts.upload_size_bytes, Fact.UPLOAD_SIZE, "the parts of the upload are")
        if request.action in _BODIES:
            return self._check_size(request.object_bytes, None, "the body is")
        return None

    def _check_copy(self, request: AccessRequest) -> Outcome:
        if request.byte_range is not None:
            return self._check_size(request.byte_range.length_bytes, None, "the range is")
        return self._check_size(request.facts.source_size_bytes, Fact.SOURCE_SIZE, "the source is")

    def _check_size(self, size: int | None, fact: Fact | None, what: str) -> Outcome:
        if size is None:
            return Unknown(Violation("object_size", f"{what} of unknown size"), fact)
        if size > self.max:
            return Violation("object_size.max", f"{what} larger than {render_size(self.max)}")
        return None
