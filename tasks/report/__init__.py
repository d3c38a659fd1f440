"""One run, or a folder of runs, as an HTML page that opens anywhere: no network, no server."""

from .overview import write_overview
from .page import FILE_NAME as REPORT_NAME
from .page import write_report

__all__ = ["REPORT_NAME", "write_overview", "write_report"]
