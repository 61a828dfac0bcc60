"""Rows as values: our nouns are frozen dataclasses whose fields are named as their columns."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def record(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """A row's values by column."""
    return row._asdict()  # pyright: ignore[reportPrivateUsage]  # public, and underscored as in namedtuple


def values_of(noun: DataclassInstance) -> dict[str, Any]:
    """A noun's fields by name; what is inside them is left as it is."""
    return {field.name: getattr(noun, field.name) for field in fields(noun)}
