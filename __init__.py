"""Lets tools resolve the relative imports of the rooms; the package itself is ``saccade``, in ``src/``."""
