"""Model checkpoints: loading weights, tokenizer and processor, the model card, and tiny random models."""
