"""What surrounds a training: its progress in the terminal, its page, the card of what came out."""
