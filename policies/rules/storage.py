"""How an object is kept: encrypted or not, and in which storage class.

COS takes both from the request that creates the object. The parts of a multipart upload have no say: theirs was
settled by InitiateMultipartUpload, so a statement about parts is satisfied here, and the same rule belongs on a
statement about cos:InitiateMultipartUpload (`policy lint` says so when it is missing).
Source: COS API, "PUT Object", "PUT Object - Copy", "Initiate Multipart Upload".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from policies.decision import Outcome, Violation
from policies.request import AccessRequest
from policies.rule import rule
from policies.rules.versions import Presence

PART_ACTIONS = frozenset({"cos:UploadPart", "cos:UploadPartCopy"})
"""They add to an object whose class and encryption were settled before."""


class Encryption(StrEnum):
    """Who holds the key that COS encrypts with."""

    COS = "sse-cos"
    KMS = "sse-kms"
    CUSTOMER = "sse-c"


@rule("encryption", shorthand="expected")
@dataclass(frozen=True, slots=True)
class EncryptionRule:
    """The destination is encrypted by COS, or is not."""

    expected: Presence = field(metadata={"doc": "require: encryption must be asked for; forbid: it must not."})
    methods: frozenset[Encryption] = field(
        default=frozenset(), metadata={"doc": "Which of sse-cos, sse-kms, sse-c count; none: any."}
    )

    def check(self, request: AccessRequest) -> Outcome:
        wanted = self.expected is Presence.REQUIRE
        if request.action in PART_ACTIONS:
            return None if wanted else Violation("encryption", "of a part it was settled by the start of its upload")
        given = request.encryption
        counts = given is not None and (not self.methods or given in self.methods)
        if counts is wanted:
            return None
        if not wanted:
            return Violation("encryption", f"{given} asked, none allowed")
        if given is None:
            return Violation("encryption", "no server-side encryption asked, it is required")
        listed = " or ".join(method for method in Encryption if method in self.methods)
        return Violation("encryption.methods", f"{given} asked, {listed} required")


class StorageClass(StrEnum):
    """COS's storage classes."""

    STANDARD = "STANDARD"
    STANDARD_IA = "STANDARD_IA"
    INTELLIGENT_TIERING = "INTELLIGENT_TIERING"
    ARCHIVE = "ARCHIVE"
    DEEP_ARCHIVE = "DEEP_ARCHIVE"
    MAZ_STANDARD = "MAZ_STANDARD"
    MAZ_STANDARD_IA = "MAZ_STANDARD_IA"
    MAZ_INTELLIGENT_TIERING = "MAZ_INTELLIGENT_TIERING"


_DEFAULTS = frozenset({StorageClass.STANDARD, StorageClass.MAZ_STANDARD})
"""What COS takes when none is named; which of the two depends on the bucket."""


@rule("storage_class", shorthand="allow")
@dataclass(frozen=True, slots=True)
class StorageClassRule:
    """The object is written into one of the storage classes."""

    allow: frozenset[StorageClass] = field(metadata={"doc": "STANDARD, STANDARD_IA, ARCHIVE and so on."})

    def check(self, request: AccessRequest) -> Outcome:
        given = request.storage_class
        if request.action in PART_ACTIONS or given in self.allow:
            return None
        if given is None and not self.allow.isdisjoint(_DEFAULTS):
            return None
        listed = ", ".join(name for name in StorageClass if name in self.allow)
        return Violation("storage_class", f"{given or StorageClass.STANDARD} asked, expected {listed}")
