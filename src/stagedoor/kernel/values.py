"""Changing frozen values on hot paths."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import DataclassInstance

    _T = TypeVar("_T", bound=DataclassInstance)


def replace(value: _T, /, **changes: Any) -> _T:
    """As `dataclasses.replace`, for dataclasses with slots that have no `__post_init__`: in a quarter of its time.

    Applying one of LiveKit's events changes two or three values of fifteen fields, which was a sixth of what it costs.
    """
    kind = type(value)
    known = _KINDS.get(kind)
    if known is None:
        known = _KINDS[kind] = _kind(kind)
    names, take, setters = known
    changed = object.__new__(kind)
    for set_, old in zip(setters, take(value), strict=True):
        set_(changed, old)
    for name, new in changes.items():
        names[name](changed, new)
    return changed


_Setter = Any
_KINDS: Final[dict[type, tuple[dict[str, _Setter], Callable[[Any], Sequence[Any]], list[_Setter]]]] = {}


def _kind(kind: type[DataclassInstance]) -> tuple[dict[str, _Setter], Callable[[Any], Sequence[Any]], list[_Setter]]:
    names = [field.name for field in fields(kind)]
    setters = {name: getattr(kind, name).__set__ for name in names}
    return setters, attrgetter(*names), list(setters.values())
