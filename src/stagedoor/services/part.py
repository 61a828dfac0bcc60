"""A part of an object: made when it is first asked for, from other parts, and closed with all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, TypeVar, cast, overload

T = TypeVar("T")


class Part(Generic[T]):
    """A descriptor: the value of its method, which is called once for each object.

    Args:
        make: Makes the part, from the object that has it.
        close: Closes the part.
    """

    def __init__(self, make: Callable[[Any], T], close: Callable[[T], Awaitable[None]] | None) -> None:
        self._make = make
        self.close = close
        self.name = ""
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Part[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> T | Part[T]:
        """The part; it is found in the object's own dictionary from then on, and not here."""
        if instance is None:
            return self
        value = self._make(instance)
        instance.__dict__[self.name] = value
        return value


@overload
def part(make: Callable[[Any], T], /) -> Part[T]: ...
@overload
def part(*, close: Callable[[T], Awaitable[None]]) -> Callable[[Callable[[Any], T]], Part[T]]: ...


def part(make: Any = None, /, *, close: Any = None) -> Any:
    """Decorate the method that makes a part.

    Args:
        make: The method.
        close: Closes the part.
    """

    def decorate(make: Callable[[Any], Any]) -> Part[Any]:
        return Part(make, close)

    return decorate if make is None else decorate(make)


def parts_of(owner: type) -> Iterator[Part[Any]]:
    """The parts that a class has, in the order in which they are written."""
    found: dict[str, Any] = dict(vars(owner))
    for value in found.values():
        if isinstance(value, Part):
            yield cast("Part[Any]", value)


async def close_parts(instance: object) -> None:
    """Close those that were made, the last written first."""
    for found in reversed(list(parts_of(type(instance)))):
        if found.close is not None and found.name in instance.__dict__:
            await found.close(instance.__dict__[found.name])
