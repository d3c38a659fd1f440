"""Makes a dataset of what was done: by experts, policies and people, live or in recorded runs; and its review."""
