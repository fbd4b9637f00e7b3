"""Seeded fuzzing of everything that reads what a stranger wrote. Run: `python -m benchmarks.fuzz.run --help`."""
