"""The embedded policy: a small Qwen3-VL model that is trained from scratch and ships with Saccade."""
