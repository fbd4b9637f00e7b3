"""The rule kinds, one file per topic. Importing this registers them all."""

from policies.rules import conditions, headers, network, part_number, period, ranges, regions, source_size, versions

__all__ = [
    "conditions",
    "headers",
    "network",
    "part_number",
    "period",
    "ranges",
    "regions",
    "source_size",
    "versions",
]
