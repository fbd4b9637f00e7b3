"""The rule kinds, one file per topic. Importing this registers them all."""

from policies.rules import conditions, part_number, ranges, regions

__all__ = ["conditions", "part_number", "ranges", "regions"]
