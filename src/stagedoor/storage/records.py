"""Rows as values: our nouns are frozen dataclasses whose fields are named as their columns."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def record(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """A row's values by column."""
    return row._asdict()  # pyright: ignore[reportPrivateUsage]  # public, and underscored as in namedtuple


def values_of(noun: DataclassInstance) -> dict[str, Any]:
    """A noun's fields by name; what is inside them is left as it is."""
    names = _NAMES.get(type(noun))
    if names is None:
        names = _NAMES[type(noun)] = tuple(field.name for field in fields(noun))
    return {name: getattr(noun, name) for name in names}


_NAMES: Final[dict[type, tuple[str, ...]]] = {}
"""Of each kind of noun: `dataclasses.fields` makes the list again each time."""
