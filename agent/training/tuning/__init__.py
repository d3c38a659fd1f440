"""Trains any checkpoint: token sequences as the policy sees them, LoRA, the training loop and its saved state."""
