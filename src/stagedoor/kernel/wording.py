"""What pydantic or msgspec found wrong with a value, as a sentence about the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_SENTENCES: Final[dict[str, str]] = {
    "missing": "this field is missing",
    "extra_forbidden": "this field is not known",
    "string_type": "it is a text",
    "string_unicode": "it is a text, without half a surrogate pair",
    "int_type": "it is a whole number",
    "int_parsing": "it is a whole number",
    "int_from_float": "it is a whole number",
    "float_type": "it is a number",
    "float_parsing": "it is a number",
    "bool_type": "it is true or false",
    "bool_parsing": "it is true or false",
    "list_type": "it is a list",
    "tuple_type": "it is a list",
    "dict_type": "it is an object",
    "model_type": "it is an object",
    "model_attributes_type": "it is an object",
    "string_too_short": "it has {min_length} characters or more",
    "string_too_long": "it has {max_length} characters at the most",
    "too_short": "it has {min_length} items or more",
    "too_long": "it has {max_length} items at the most",
    "greater_than": "it is more than {gt}",
    "greater_than_equal": "it is {ge} or more",
    "less_than": "it is less than {lt}",
    "less_than_equal": "it is {le} or less",
    "literal_error": "it is one of {expected}",
    "string_pattern_mismatch": "it is not of the form {pattern}",
}

LONGEST_NAME: Final = 100
"""Characters of a field's name, as a caller wrote it, that an answer repeats."""


def shortened(name: str) -> str:
    """A field's name, as an answer repeats it."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


FORMS: Final[dict[str, str]] = {}
"""What a pattern means, by pattern, as `form` was given it."""


def form(pattern: str, meaning: str) -> str:
    """The pattern, with a meaning that is shown when a text does not match it."""
    FORMS[pattern] = meaning
    return pattern


def wording(error: Mapping[str, Any]) -> str:
    """The sentence, without a capital and a full stop: it stands behind the name of a field.

    Args:
        error: One of pydantic's `ErrorDetails`.
    """
    context: Mapping[str, Any] = error.get("ctx") or {}
    if error["type"] == "string_pattern_mismatch" and context.get("pattern") in FORMS:
        return FORMS[str(context["pattern"])]
    sentence = _SENTENCES.get(str(error["type"]))
    if sentence is None:
        return str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return sentence.format_map(context).replace(" 1 characters ", " 1 character ").replace(" 1 items ", " 1 item ")


_AT = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (missing required|contains unknown) field `(.*)`")
_LENGTH = re.compile(r"Expected `(str|array|object)` of length (<=|>=) (\d+)")
_RANGE = re.compile(r"Expected `\w+` (<=|>=) (\S+)")
_FORM = re.compile(r"Expected `str` matching regex '(.*)'", re.DOTALL)
_TYPES = re.compile(r"Expected `(.*)`, got `.*`")
_TYPE_NAMES: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def wording_of_msgspec(error: str) -> tuple[str, str]:
    """The field, and the sentence, of what msgspec found wrong: it has no structure but its text.

    A second schema for pydantic, only for its structured errors, would have to be kept like the first one;
    `tests/kernel/test_wording.py` has each kind of text as the installed msgspec writes it.

    Args:
        error: The text of a `msgspec.ValidationError`.
    """
    found = _AT.fullmatch(error)
    what, path = (found["what"], found["path"] or "") if found else (error, "")
    field = path.removeprefix(".").replace("[...]", "").replace("[", ".").replace("]", "")
    if parts := _FIELD.fullmatch(what):
        name = f"{field}.{shortened(parts[2])}".lstrip(".")
        return name, _SENTENCES["missing" if parts[1].startswith("missing") else "extra_forbidden"]
    if parts := _LENGTH.fullmatch(what):
        unit = ("character" if parts[1] == "str" else "item") + ("" if parts[3] == "1" else "s")
        return field, f"it has {parts[3]} {unit} {'or more' if parts[2] == '>=' else 'at the most'}"
    if parts := _RANGE.fullmatch(what):
        return field, f"it is {parts[2]} or {'more' if parts[1] == '>=' else 'less'}"
    if parts := _FORM.fullmatch(what):
        pattern = parts[1].encode().decode("unicode_escape")
        return field, FORMS.get(pattern, FORMS.get(parts[1], f"it is not of the form {parts[1]}"))
    if parts := _TYPES.fullmatch(what):
        return field, "it is " + " or ".join(_TYPE_NAMES.get(name, name) for name in parts[1].split(" | "))
    return field, what
