"""Measurements, one command each: `python3 -m benchmarks.small_copies`. Method and tables: docs/performance.md."""
