"""Examples of fields that are objects, made of the examples of what is in them."""

from __future__ import annotations

from typing import Any, Final

_NOTHING: Final = object()
_PREFIX: Final = "#/components/schemas/"


def complete(schemas: dict[str, Any]) -> None:
    """Give each field of each schema an example of its own."""
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if "examples" not in field and "example" not in field:
                made = _example(field, schemas)
                if made is not _NOTHING:
                    field["examples"] = [made]


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    if schema.get("examples"):
        return schema["examples"][0]
    for key in ("example", "const", "default"):
        if key in schema:
            return schema[key]
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].removeprefix(_PREFIX)], schemas)
    if "enum" in schema:
        return schema["enum"][0]
    for choice in (*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if choice.get("type") != "null":
            return _example(choice, schemas)
    if schema.get("type") == "array":
        item = _example(schema.get("items", {}), schemas)
        return [] if item is _NOTHING else [item]
    if "properties" in schema:
        made = {name: _example(field, schemas) for name, field in schema["properties"].items()}
        return {name: value for name, value in made.items() if value is not _NOTHING}
    return _NOTHING
