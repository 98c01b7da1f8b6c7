"""Benchmarks against what a user would run instead: `make bench`, or `python -m tests.benchmarks --help`."""
