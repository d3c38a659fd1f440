"""Where episodes of an evaluation run: processes, Ray workers, and a shared model for them."""
