"""Metrics that compare values: what a command printed, a list, an object."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from ....actions.extras import need_package

Rules = Mapping[str, Any]


def exact_match(result: Any, rules: Rules) -> float:
    """Equal to ``expected``."""
    return float(result == rules["expected"])


def match_in_list(result: Any, rules: Rules) -> float:
    """One of ``expected``."""
    return float(result in rules["expected"])


def is_in_list(result: Any, rules: Rules) -> float:
    """Holds ``expected``, as an item or a part."""
    return float(rules["expected"] in result)


def fuzzy_match(result: str, rules: Rules) -> float:
    """How much alike ``expected`` and the result are (Indel similarity)."""
    return float(need_package("rapidfuzz").fuzz.ratio(result, rules["expected"]) / 100)


def literal_match(result: Any, expected: Any, *, type: str = "str", ignore_case: bool = False) -> float:
    """The same as text, or the same list of texts."""

    def text(value: Any) -> str:
        return str(value).lower() if ignore_case else str(value)

    if type == "str":
        return float(text(result) == text(expected))
    if type != "list":
        raise NotImplementedError(f"literal_match knows no type {type!r}")
    if not isinstance(result, list | tuple) or not isinstance(expected, list | tuple):
        return 0.0
    return float([text(each) for each in result] == [text(each) for each in expected])


def check_include_exclude(result: str | None, rules: Rules) -> float:
    """Holds every text of ``include`` and none of ``exclude``."""
    if result is None:
        return 0.0
    wanted = all(text in result for text in rules.get("include", ()))
    return float(wanted and not any(text in result for text in rules.get("exclude", ())))


def check_direct_json_object(result: Any, rules: Rules) -> float:
    """An object has the values of ``expected``; with ``expect_in_result``, holds them."""
    if isinstance(result, str):
        result = json.loads(result.strip().replace("'", '"'))
    expected = rules["expected"]
    if not isinstance(result, dict) or not isinstance(expected, dict):
        return 0.0
    if "__EVALUATION_FAILED__" in [value for value in expected.values() if isinstance(value, str)]:
        return 0.0
    if rules.get("expect_in_result", False):
        return float(all(_held(result.get(key), value) for key, value in expected.items()))
    order_matters = not expected.get("ignore_list_order", False)
    return float(all(_same(result.get(key), value, order_matters) for key, value in expected.items()))


def _same(actual: Any, expected: Any, order_matters: bool) -> bool:
    if order_matters:
        return bool(actual == expected)
    # As published: the flag is one of the object's own keys, and with it every value has to be a list.
    if not isinstance(actual, list) or not isinstance(expected, list):
        return False
    return sorted(actual) == sorted(expected)


def _held(actual: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        return any(_is_or_has(actual, each) for each in expected)
    return isinstance(expected, str) and isinstance(actual, str | list) and expected in actual


def _is_or_has(actual: Any, expected: Any) -> bool:
    return expected in actual if isinstance(actual, list) else isinstance(actual, str) and expected == actual


def check_moved_jpgs(directory: Mapping[str, Any], rules: Rules) -> float:
    """A folder holds exactly the files of ``expected``."""
    return float(_equal_sets([node["name"] for node in directory["children"]], rules["expected"]))


def check_gnome_favorite_apps(apps: str, rules: Rules) -> float:
    """A printed list holds exactly the texts of ``expected``, in any order."""
    return float(_equal_sets(ast.literal_eval(apps), rules["expected"]))


def _equal_sets(actual: list[Any], expected: list[Any]) -> bool:
    return len(actual) == len(expected) and set(actual) == set(expected)


def is_utc_0(printed: str) -> float:
    """``timedatectl`` names a time zone at UTC."""
    return float(printed.split("\n")[3].endswith("+0000)"))


def check_text_enlarged(factor: str) -> float:
    """A scaling factor above 1."""
    return float(float(factor) > 1.0)


def is_in_vm_clickboard(rules: Rules, printed: str) -> float:
    """What was printed holds ``expected``, or each of them."""
    expected = rules["expected"]
    return float(all(text in printed for text in (expected if isinstance(expected, list) else [expected])))


def is_extension_installed(printed: str, rules: Rules) -> float:
    """What was printed contains ``expected``, or does not, as ``type`` says."""
    match rules["type"]:
        case "contain":
            return float(rules["expected"] in printed)
        case "not_contain":
            return float(rules["expected"] not in printed)
    raise NotImplementedError(f"is_extension_installed knows no type {rules['type']!r}")


def compare_answer(result: str | None, rules: Rules) -> float:
    """A text equal to ``expected``, and not empty."""
    return float(bool(result) and result == rules["expected"])
