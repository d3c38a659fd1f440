"""A run on disk: its events, the append-only writer, the reader, and the JSON schema."""
