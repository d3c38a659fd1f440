"""A model by its name: what `--model` accepts, loading it, and its size."""
