"""Where things stand in the checkout, for tests that start programs or read its files."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
SOURCE = ROOT / "src"
FIXTURES = TESTS / "tasks" / "fixtures"
