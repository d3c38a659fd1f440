"""What a person does, as a trajectory: listeners, secrets that are left out, and gestures from raw events."""
