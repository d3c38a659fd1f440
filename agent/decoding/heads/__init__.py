"""Trained drafting heads: their files on disk, the replies they learn from, and their training."""
