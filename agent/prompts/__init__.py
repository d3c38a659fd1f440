"""How a conversation is written down for a model."""
