"""The X server: connection, keyboard and pointer input, clipboard, windows, and what it reports."""
