"""Request bodies, or parts of them, that msgspec reads: by themselves on hot routes, elsewhere in pydantic's models.

So what one route reads for speed and another reads as a part of its body has one schema.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError, core_schema

from stagedoor.kernel.wording import wording_of_msgspec


class RequestStruct(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What we are sent: a field of the wrong type or an unknown one is an error, nothing is guessed."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._from_json,
            serialization=core_schema.plain_serializer_function_ser_schema(msgspec.to_builtins),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _: core_schema.CoreSchema, __: GetJsonSchemaHandler) -> dict[str, Any]:
        (schema,), components = msgspec.json.schema_components((cls,), ref_template="{name}")
        inlined: dict[str, Any] = _inline(schema, components)
        return inlined

    @classmethod
    def _from_json(cls, value: Any) -> Any:
        if isinstance(value, cls):
            return value
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            field, message = wording_of_msgspec(str(error))
            details = InitErrorDetails(
                type=PydanticCustomError("request", "{message}", {"message": message}),
                loc=tuple(field.split(".")) if field else (),
                input=value,
            )
            raise ValidationError.from_exception_data(cls.__name__, [details]) from None


def _inline(schema: Any, components: dict[str, Any]) -> Any:
    """The schema with each reference replaced by what it refers to; no struct holds itself."""
    if isinstance(schema, list):
        return [_inline(item, components) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    inlined = {name: _inline(value, components) for name, value in cast("dict[str, Any]", schema).items()}
    target = inlined.pop("$ref", None)
    return inlined if target is None else _inline(components[target], components) | inlined
