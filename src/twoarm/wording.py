"""What pydantic found wrong in a file, in words: what is wrong, the rule, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_RULES = {
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text in quotes",
    "string_pattern_mismatch": "letters, digits, spaces and . _ + -, a letter or digit first",
    "literal_error": "one of {expected}",
    "union_tag_invalid": "one of {expected_tags}",
    "tuple_type": "a list",
    "list_type": "a list",
    "too_short": "at least {min_length} long",
    "dict_type": "a table of fields",
    "mapping_type": "a table of fields",
    "model_type": "a table of fields",
    "model_attributes_type": "a table of fields",
}


def in_words(problem: Mapping[str, Any]) -> str:
    """Say a problem that pydantic found as what is wrong, the rule, and what to do.

    Examples
    --------
    >>> in_words({"type": "greater_than", "input": 0, "ctx": {"gt": 0}, "msg": "Input should be ..."})
    '0 cannot be. It must be above 0. Correct it.'
    """
    kind, facts = str(problem["type"]), problem.get("ctx", {})
    if kind == "missing":
        return "it is missing and required. Add it."
    if kind == "extra_forbidden":
        return "no such field is known. Rename or remove it."
    if rule := _RULES.get(kind):
        raw = facts.get("tag", problem.get("input"))
        given = repr(raw["value"] if isinstance(raw, Mapping) and "value" in raw else raw)
        shown = given if len(given) <= 60 else given[:57] + "..."
        return f"{shown} cannot be. It must be {rule.format_map(facts)}. Correct it."
    return str(problem["msg"]).removeprefix("Value error, ")


def foremost(problems: Sequence[Any]) -> Any:
    """Choose which of pydantic's problems to tell: a misspelled field before the one then missing."""
    return min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
