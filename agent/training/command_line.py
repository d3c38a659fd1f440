"""The command line of the training modules."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Final

DATA: Final = Path("runs/embedded/data")


def parse_options(doc: str | None, arguments: list[str] | None = None, **defaults: Any) -> argparse.Namespace:
    """Parse one option per keyword and log messages to stderr.

    A default of False makes a flag, a list takes any number of values, a type makes a required option, and a
    dict is passed on to ``add_argument``.
    """
    parser = argparse.ArgumentParser(description=doc)
    for name, default in defaults.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(default, dict):
            parser.add_argument(flag, **default)
        elif default is False:
            parser.add_argument(flag, action="store_true")
        elif isinstance(default, list):
            parser.add_argument(flag, nargs="*", default=default)
        elif isinstance(default, type):
            parser.add_argument(flag, type=default, required=True)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return parser.parse_args(arguments)
