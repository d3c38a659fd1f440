"""Evaluation on suites of recorded screens."""
