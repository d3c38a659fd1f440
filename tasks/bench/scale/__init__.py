"""Speed at published model sizes: random weights write scripted replies, and every forward is real."""
