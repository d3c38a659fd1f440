"""Where it happens: environments, the guard, and the trajectory on disk."""
