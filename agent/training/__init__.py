"""Training of the embedded policy: episodes, rendered pages, batches, losses and measurements."""
