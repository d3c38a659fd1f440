"""Saccade in other people's harnesses, and its environments for other people's agents."""
