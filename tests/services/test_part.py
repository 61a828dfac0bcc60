"""Parts are made once, from one another, and closed in the reverse of the order in which they are written."""

from __future__ import annotations

import pytest

from stagedoor.services.part import close_parts, part, parts_of


class Lamp:
    def __init__(self, name: str, closed: list[str]) -> None:
        self.name = name
        self.closed = closed

    async def close(self) -> None:
        self.closed.append(self.name)


class House:
    def __init__(self) -> None:
        self.made: list[str] = []
        self.closed: list[str] = []

    @part(close=Lamp.close)
    def hall(self) -> Lamp:
        return self._lamp("hall")

    @part(close=Lamp.close)
    def stairs(self) -> Lamp:
        return self._lamp(f"stairs after {self.cellar.name}")

    @part(close=Lamp.close)
    def cellar(self) -> Lamp:
        return self._lamp("cellar")

    @part
    def address(self) -> str:
        return "1 High Street"

    def _lamp(self, name: str) -> Lamp:
        self.made.append(name)
        return Lamp(name, self.closed)


def test_a_part_is_made_once_and_after_those_that_it_needs() -> None:
    house = House()
    assert house.stairs is house.stairs
    assert house.made == ["cellar", "stairs after cellar"]
    assert House().stairs is not house.stairs


async def test_parts_that_were_made_are_closed_the_last_written_first() -> None:
    house = House()
    _ = house.hall, house.cellar, house.address
    await close_parts(house)
    assert house.closed == ["cellar", "hall"]


def test_the_parts_of_a_class_are_listed_in_order() -> None:
    assert [found.name for found in parts_of(House)] == ["hall", "stairs", "cellar", "address"]


def test_an_error_in_making_a_part_is_its_own_and_not_kept() -> None:
    class Broken:
        tries = 0

        @part
        def thing(self) -> int:
            self.tries += 1
            if self.tries == 1:
                raise ValueError("not yet")
            return self.tries

    broken = Broken()
    with pytest.raises(ValueError, match="not yet"):
        _ = broken.thing
    assert broken.thing == 2
