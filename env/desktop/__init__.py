"""A desktop as an environment: private X displays with their sandbox, or a screen that is already there."""
