"""Fill a template: `{{name}}` is a value, `{{#part}}` … `{{/part}}` are lines that are left out unless wanted."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import Final

_SECTION: Final = re.compile(r"^ *\{\{#(\w+)\}\}\n(.*?)^ *\{\{/\1\}\}\n", re.MULTILINE | re.DOTALL)
_VALUE: Final = re.compile(r"\{\{(\w+)\}\}")


def fill(template: str, values: Mapping[str, str], parts: Collection[str] = ()) -> str:
    """The filled template of this file name.

    Raises:
        KeyError: The template asks for a value that was not given.
    """
    text = (files("stagedoor.deploy") / "templates" / template).read_text("utf-8")
    chosen = _SECTION.sub(lambda match: match[2] if match[1] in parts else "", text)
    return _VALUE.sub(lambda match: values[match[1]], chosen)
