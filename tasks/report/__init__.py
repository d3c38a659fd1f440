"""One run as one HTML page that opens anywhere, without a network and without a server."""

from .page import write_report

__all__ = ["write_report"]
