"""What is seen: screenshots, capture, resizing, settling, redaction."""
