"""The terminal: progress of a run, keys, questions, and how values on the command line are read."""
