"""The guard: what stands between a decision and the mouse, and asks a person where an act has consequences."""
