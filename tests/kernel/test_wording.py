"""Mistakes are put in sentences, whichever library found them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stagedoor.kernel.wording import form, wording, wording_of_msgspec

SLUG = form(r"^[a-z\x00]+$", "it has lower-case letters only")


class Inner(BaseModel):
    at: int = 0


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str = Field(default="abc", min_length=2, max_length=4)
    slug: str = Field(default="abc", pattern=SLUG)
    odd: str = Field(default="abc", pattern="^a")
    number: int = Field(default=5, ge=1, le=9)
    choice: Literal["a", "b"] = "a"
    items: list[int] = Field(default=[], max_length=1)
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("text", 1, "it is a text"),
        ("text", "a", "it has 2 characters or more"),
        ("text", "abcde", "it has 4 characters at the most"),
        ("slug", "A", "it has lower-case letters only"),
        ("odd", "b", "it is not of the form ^a"),
        ("number", 0, "it is 1 or more"),
        ("number", 10, "it is 9 or less"),
        ("number", "x", "it is a whole number"),
        ("choice", "c", "it is one of 'a' or 'b'"),
        ("items", [1, 2], "it has 1 item at the most"),
        ("items", {}, "it is a list"),
        ("inner", 1, "it is an object"),
        ("other", 1, "this field is not known"),
    ],
)
def test_what_pydantic_finds(field: str, value: Any, sentence: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Model.model_validate({field: value})
    assert wording(raised.value.errors()[0]) == sentence


class Struct(msgspec.Struct, forbid_unknown_fields=True):
    room: Annotated[str, Meta(min_length=1, max_length=3)]
    slug: Annotated[str, Meta(pattern=SLUG)] = "abc"
    number: Annotated[int, Meta(ge=1)] = 1
    ttl: str | float | None = None
    names: Annotated[list[str], Meta(max_length=1)] = []


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({}, "room", "this field is missing"),
        ({"room": "a", "x": 1}, "x", "this field is not known"),
        ({"room": ""}, "room", "it has 1 character or more"),
        ({"room": "abcd"}, "room", "it has 3 characters at the most"),
        ({"room": 1}, "room", "it is a text"),
        ({"room": "a", "slug": "A"}, "slug", "it has lower-case letters only"),
        ({"room": "a", "number": 0}, "number", "it is 1 or more"),
        ({"room": "a", "ttl": []}, "ttl", "it is a number or a text or null"),
        ({"room": "a", "names": ["a", "b"]}, "names", "it has 1 item at the most"),
        ({"room": "a", "names": [1]}, "names.0", "it is a text"),
        ([], "", "it is an object"),
    ],
)
def test_what_msgspec_finds(body: Any, field: str, sentence: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(msgspec.json.encode(body), type=Struct)
    found, said = wording_of_msgspec(str(raised.value))
    assert (found, said) == (field, sentence), str(raised.value)
