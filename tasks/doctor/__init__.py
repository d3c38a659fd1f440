"""What is installed, what is missing, and the command that fixes it."""
