"""A recording again: verified, exact or offline, with healing and variables."""
