"""Drafters: where guesses about the next tokens come from."""
