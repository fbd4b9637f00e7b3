"""The rule kinds, one file per topic. Importing this registers them all."""

from policies.rules import (
    conditions,
    headers,
    network,
    object_size,
    part_number,
    period,
    ranges,
    regions,
    source_size,
    storage,
    versions,
)

__all__ = [
    "conditions",
    "headers",
    "network",
    "object_size",
    "part_number",
    "period",
    "ranges",
    "regions",
    "source_size",
    "storage",
    "versions",
]
