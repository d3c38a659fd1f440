"""Evaluations: episodes, records on disk, resume, summaries, pages and paired comparison."""
