"""The upstream request: what the gateway sends, built from what it judged.

Only parsed values are rendered. The caller's signature, hop-by-hop fields and everything outside the
allow-list stay behind; a copy source is written anew from its parsed value with its real COS host.

Source: DESIGN §2 step 12; threat model C8, C10.
"""

from __future__ import annotations

from dataclasses import dataclass

from cos.target import Parameter


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request to COS. `target` is the exact origin-form target sent; `path` and `query` are what it says.

    `headers` have lower-case names and do not hold `host`.
    """

    method: str
    host: str
    path: bytes
    query: tuple[Parameter, ...]
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
