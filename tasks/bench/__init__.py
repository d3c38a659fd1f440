"""Measurements of speed: decoding, episodes, replay, and one step without a model."""
