"""Who decides: the loop, policies, prompts and the decoding engine."""
