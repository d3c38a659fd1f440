"""The command line of the training modules."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Final

DATA: Final = Path("runs/embedded/data")


def parse_options(doc: str | None, arguments: list[str] | None = None, **defaults: Any) -> argparse.Namespace:
    """Parse one option per keyword and log to stderr; a dict is passed on to ``add_argument``."""
    parser = argparse.ArgumentParser(description=doc)
    for name, default in defaults.items():
        option = {"nargs": "*"} if isinstance(default, list) else {"type": type(default)}
        chosen = default if isinstance(default, dict) else option | {"default": default}
        parser.add_argument("--" + name.replace("_", "-"), **chosen)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return parser.parse_args(arguments)
