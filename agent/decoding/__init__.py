"""The decoding engine: one episode's cache, the model's forward, and what turns logits into a reply."""
