"""Request signatures: reading, judging, proving and making them.

The order for a received request is `read_claim`, `verify`, `check_window`, `check_coverage`; none may be left out.
"""

from cos.signing.chunked import ChunkSignatures
from cos.signing.claim import Carrier, Claim, QSignTerms, Scheme, Scope, SigV2Terms, SigV4Terms, Window
from cos.signing.coverage import check_coverage
from cos.signing.dispatch import is_unsigned, presign, read_chunk_signatures, read_claim, sign, verify
from cos.signing.hoisted import with_hoisted_headers
from cos.signing.sign_keys import SignKeys
from cos.signing.window import EXPIRED_MESSAGE, WindowLimits, check_window

__all__ = [
    "Scheme", "Carrier", "Window", "Scope", "QSignTerms", "SigV4Terms", "SigV2Terms", "Claim",
    "read_claim", "is_unsigned", "verify", "read_chunk_signatures", "ChunkSignatures", "sign", "presign",
    "check_window", "check_coverage", "with_hoisted_headers", "WindowLimits", "EXPIRED_MESSAGE", "SignKeys",
]  # fmt: skip
