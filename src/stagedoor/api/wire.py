"""How values look on the wire: camelCase, an envelope, RFC 3339 times, cursors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError, PydanticUseDefault

from stagedoor.kernel.clock import from_rfc3339, rfc3339
from stagedoor.kernel.texts import CONTROLS, SHOWS_NOTHING, shows_nothing
from stagedoor.kernel.wording import form, shortened

T = TypeVar("T")

NO_NUL = form(r"^[^\x00]*$", "it has no NUL character")
"""PostgreSQL's text holds every character but this one."""

NO_CONTROLS = form(f"^[^{CONTROLS}]*$", "it has no control characters and none that override the direction of writing")
"""For names: they are shown in lists of others, on terminals and pages."""


class ResponseModel(BaseModel):
    """What we send."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", defer_build=True)


MOST_UNKNOWN_FIELDS: Final = 20
"""Unknown fields of an object that are looked at; more mistakes than these are not shown anyway."""

MOST_ENTRIES: Final = 1_000
"""Entries of an object with names of the caller's choice, before any field's own limit is looked at."""


class RequestModel(BaseModel):
    """What we are sent: a field of the wrong type or an unknown one is an error, nothing is guessed."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=False, extra="forbid", strict=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _few_mistakes(cls, value: Any) -> Any:
        """Pydantic collects every mistake: 85,000 unknown fields in 1 MB took half a second of the event loop."""
        if not isinstance(value, dict):
            return value
        given: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        for name, inner in given.items():
            if isinstance(inner, dict) and len(inner) > MOST_ENTRIES:  # pyright: ignore[reportUnknownArgumentType]
                context = {"name": shortened(str(name)), "most": MOST_ENTRIES}
                raise PydanticCustomError("too_many_entries", "{name} has {most} entries at the most", context)
        known = {field.alias or name for name, field in cls.model_fields.items()}
        unknown = [name for name in given if name not in known]
        if len(unknown) <= MOST_UNKNOWN_FIELDS:
            return given
        dropped = set(unknown[MOST_UNKNOWN_FIELDS:])
        return {name: inner for name, inner in given.items() if name not in dropped}


class Data(BaseModel, Generic[T]):
    """The envelope of a success."""

    data: T = Field(description="What was asked for.")


class PageInfo(ResponseModel):
    """Where the next page begins."""

    next: str | None = Field(
        description="The `cursor` of the next page; null on the last one.",
        examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    )


class Page(BaseModel, Generic[T]):
    """The envelope of a list."""

    data: list[T] = Field(description="The items of this page.")
    page: PageInfo = Field(description="How to get the next page.")


def page(items: list[T], limit: int, cursor_of: Callable[[T], str]) -> Page[T]:
    """A page of at most `limit` items, out of one more than that."""
    more = len(items) > limit
    shown = items[:limit]
    return Page[T](data=shown, page=PageInfo(next=cursor_of(shown[-1]) if more and shown else None))


def _timestamp(text: str) -> str:
    from_rfc3339(text)
    return text


Timestamp = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_timestamp),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T00:00:00Z"]}),
]
"""An RFC 3339 time that a caller sends."""

_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]+")


def _whole_number(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        raise PydanticUseDefault
    if not _WHOLE_NUMBER.fullmatch(text):  # pydantic takes `5.0` and `5_0` too
        raise PydanticCustomError("int_parsing", "it is a whole number")
    return text


EMPTY_IS_ABSENT: Final = BeforeValidator(_whole_number)
"""For an integer in the query or a header: an empty one is the same as none.

EventSource clients send an empty `Last-Event-ID` before they have an id, and a 4xx ends such a client for good. Written
behind `Query(...)` or `Header(...)`, so that OpenAPI still has the bounds.
"""

Text = Annotated[str, StringConstraints(pattern=NO_NUL)]


def _shown(text: str) -> str:
    if shows_nothing(text):
        raise PydanticCustomError("shows_nothing", SHOWS_NOTHING)
    return text


SHOWN: Final = AfterValidator(_shown)
"""For names: a list of people or keys with a blank in it helps no reader."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROLS), SHOWN]
Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page.", examples=[50]), EMPTY_IS_ABSENT]
NumberCursor = Annotated[
    int | None,
    Query(ge=0, le=2**63 - 1, description="`page.next` of the page before.", examples=[7]),
    EMPTY_IS_ABSENT,
]
Cursor = Annotated[
    str | None,
    Query(
        max_length=200,
        pattern=NO_NUL,
        description="`page.next` of the page before.",
        examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"],
    ),
]
AppRef = Annotated[
    str,
    Path(max_length=64, pattern=NO_NUL, description="The app's slug or id.", examples=["live"]),
]
RoomRef = Annotated[
    str,
    Path(
        max_length=256,
        pattern=NO_NUL,
        description="The room's short name (`demo`) or LiveKit name (`live-demo`).",
        examples=["demo"],
    ),
]
IdentityRef = Annotated[
    str,
    Path(
        min_length=1,
        max_length=256,
        pattern=NO_NUL,
        description="The participant's identity.",
        examples=["phone-42"],
    ),
]


def meanings(states: Mapping[Any, str]) -> str:
    """The description of a field that has one of these values: each with its meaning."""
    return " ".join(f"`{state}`: {meaning}" for state, meaning in states.items())


def when(ms: int | None) -> str | None:
    """A time for the wire, from milliseconds since the epoch."""
    return None if ms is None else rfc3339(ms)
