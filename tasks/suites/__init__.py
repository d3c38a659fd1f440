"""Benchmarks: what they ask, from which files, and how an answer is judged."""
