from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from saccade.actions.errors import MissingPartError
from saccade.actions.extras import EXTRAS, has_package, install_advice, need_package

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
DISTRIBUTIONS = {"docx": "python-docx", "yaml": "pyyaml"}


@pytest.mark.parametrize("package", EXTRAS)
def test_the_named_extra_installs_the_package(package: str) -> None:
    installs = PROJECT["optional-dependencies"][EXTRAS[package]]
    assert any(line.startswith(DISTRIBUTIONS.get(package, package)) for line in installs)


def test_a_missing_package_is_an_error_that_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(MissingPartError, match=r"openpyxl is not installed; run: pip install 'saccade\[osworld\]'"):
        need_package("openpyxl.utils")


def test_a_package_of_no_extra_is_installed_by_its_name() -> None:
    assert install_advice("nothing_like_it") == "run: pip install 'nothing_like_it'"
    assert not has_package("nothing_like_it")
    assert need_package("json").loads("1") == 1
