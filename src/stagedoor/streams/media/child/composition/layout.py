"""Where each picture of a room is on the canvas. Pure: sizes and names in, rectangles out.

All rectangles have even positions and sizes, as 4:2:0 needs them, and keep the shape of their picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MOST_TILES: Final = 25
"""Further pictures are left out of a grid: no face can be recognised in smaller ones."""
MOST_IN_STRIP: Final = 6
_STRIP: Final = 0.22
"""The share of the canvas beside a large picture that has the others."""
_CELL: Final = 16 / 9
SINGLE: Final = "single:"


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be placed.

    Attributes:
        key: Names it in the result.
        identity: Whose it is.
        width: As it is seen, after rotation.
        is_screen: Whether it is a shared screen, in which there is something to read.
    """

    key: str
    identity: str
    width: int
    height: int
    is_screen: bool = False


def arrange(
    width: int, height: int, pictures: Sequence[Picture], layout: str, speaker: str | None = None
) -> Mapping[str, Rect]:
    """The place of each picture that is shown, by its key.

    Args:
        width: Of the canvas; even.
        height: Likewise.
        pictures: All of the room, in the order in which they came.
        layout: `grid`, `speaker`, or `single:` and an identity.
        speaker: Who speaks, or was the last to.
    """
    canvas = Rect(0, 0, width, height)
    if layout.startswith(SINGLE):
        identity = layout.removeprefix(SINGLE)
        pictures = [one for one in pictures if one.identity == identity]
    screens = [one for one in pictures if one.is_screen]
    cameras = [one for one in pictures if not one.is_screen]
    if screens:
        return _featured(canvas, screens[-MOST_TILES:], cameras)
    if layout == "speaker" and cameras:
        large = next((one for one in cameras if one.identity == speaker), cameras[0])
        return _featured(canvas, [large], [one for one in cameras if one is not large])
    return _grid(canvas, cameras)


def fitted(cell: Rect, width: int, height: int) -> Rect:
    """The largest even rectangle of a picture's shape in the middle of a cell."""
    scale = min(cell.width / max(width, 1), cell.height / max(height, 1))
    wide = min(cell.width, max(2, round(width * scale / 2) * 2))
    high = min(cell.height, max(2, round(height * scale / 2) * 2))
    return Rect(cell.x + _even((cell.width - wide) // 2), cell.y + _even((cell.height - high) // 2), wide, high)


def _featured(canvas: Rect, large: Sequence[Picture], small: Sequence[Picture]) -> Mapping[str, Rect]:
    """Some large, and the others in a strip beside or below them."""
    small = small[:MOST_IN_STRIP]
    if not small:
        return _grid(canvas, large)
    x, y, width, height = canvas.x, canvas.y, canvas.width, canvas.height
    if width >= height:
        strip = _even(int(width * _STRIP))
        first = Rect(x, y, width - strip, height)
        cells = _row(Rect(x + width - strip, y, strip, height), len(small), down=True)
    else:
        strip = _even(int(height * _STRIP))
        first = Rect(x, y, width, height - strip)
        cells = _row(Rect(x, y + height - strip, width, strip), len(small), down=False)
    placed = {one.key: fitted(cell, one.width, one.height) for one, cell in zip(small, cells, strict=True)}
    return {**_grid(first, large), **placed}


def _row(area: Rect, count: int, *, down: bool) -> list[Rect]:
    if down:
        size = min(_even(area.height // count), _even(int(area.width / _CELL)))
        begin = area.y + _even((area.height - size * count) // 2)
        return [Rect(area.x, begin + number * size, area.width, size) for number in range(count)]
    size = min(_even(area.width // count), _even(int(area.height * _CELL)))
    begin = area.x + _even((area.width - size * count) // 2)
    return [Rect(begin + number * size, area.y, size, area.height) for number in range(count)]


def _grid(area: Rect, pictures: Sequence[Picture]) -> Mapping[str, Rect]:
    pictures = pictures[:MOST_TILES]
    count = len(pictures)
    if not count:
        return {}
    columns = max(range(1, count + 1), key=lambda number: (_seen(area, count, number), number))
    rows = -(-count // columns)
    wide, high = _even(area.width // columns), _even(area.height // rows)
    top = area.y + _even((area.height - high * rows) // 2)
    placed: dict[str, Rect] = {}
    for number, one in enumerate(pictures):
        row, column = divmod(number, columns)
        in_row = min(columns, count - row * columns)
        left = area.x + _even((area.width - wide * in_row) // 2)
        placed[one.key] = fitted(Rect(left + column * wide, top + row * high, wide, high), one.width, one.height)
    return placed


def _seen(area: Rect, count: int, columns: int) -> float:
    """How large a picture of usual shape is in a grid of so many columns."""
    cell = area.width / columns, area.height / -(-count // columns)
    return min(cell[0] / _CELL, cell[1])


def _even(number: int) -> int:
    return number & ~1
