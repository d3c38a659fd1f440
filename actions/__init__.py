"""What can be done: actions as data, coordinate frames, keys, model dialects, errors."""
