"""Drawn people for fake cameras, so that pictures of the pages show faces instead of Chromium's test pattern."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFilter

SIZE: Final = (1280, 720)
FRAMES: Final = 50
_SCALE: Final = 2

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Portrait:
    """The colours of a person and of the room behind."""

    wall: Colour
    accent: Colour
    skin: Colour
    hair: Colour
    clothes: Colour
    long_hair: bool


PORTRAITS: Final = (
    Portrait((214, 201, 184), (176, 120, 84), (236, 188, 160), (74, 48, 36), (58, 92, 122), long_hair=True),
    Portrait((186, 200, 204), (90, 124, 112), (141, 92, 66), (32, 26, 26), (196, 92, 74), long_hair=False),
    Portrait((205, 196, 214), (128, 108, 160), (198, 144, 108), (44, 34, 40), (70, 110, 86), long_hair=True),
)


def film(portrait: Portrait, path: Path) -> None:
    """Write the MJPEG that Chromium's `--use-file-for-fake-video-capture` loops over."""
    room = _room(portrait)
    with path.open("wb") as out:
        for number in range(FRAMES):
            phase = 2 * math.pi * number / FRAMES
            picture = room.copy()
            _person(picture, portrait, dx=10 * math.sin(phase), dy=5 * math.sin(2 * phase))
            picture.resize(SIZE, Image.Resampling.LANCZOS).save(out, "JPEG", quality=92)


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, int(part * factor)) for part in colour)
    return red, green, blue


def _room(portrait: Portrait) -> Image.Image:
    """A wall lit from the left, a window, a shelf with books and a plant, out of focus."""
    width, height = SIZE[0] * _SCALE, SIZE[1] * _SCALE
    light = Image.linear_gradient("L").rotate(90).resize((width, height))
    wall = Image.composite(
        Image.new("RGB", (width, height), _shade(portrait.wall, 0.72)),
        Image.new("RGB", (width, height), _shade(portrait.wall, 1.1)),
        light,
    )
    draw = ImageDraw.Draw(wall)
    draw.rectangle((180, 130, 640, 760), fill=(244, 246, 240), outline=_shade(portrait.wall, 0.6), width=18)
    draw.line((410, 130, 410, 760), fill=_shade(portrait.wall, 0.6), width=14)
    draw.rectangle((1780, 560, 2420, 590), fill=_shade(portrait.accent, 0.7))
    for place, tall in enumerate((170, 210, 150, 190, 160, 205, 180)):
        left = 1810 + place * 58
        colour = _shade(portrait.accent if place % 2 else portrait.clothes, 0.8 + 0.1 * (place % 4))
        draw.rectangle((left, 560 - tall, left + 46, 560), fill=colour)
    for leaf in range(9):
        angle = math.radians(200 + leaf * 17)
        tip = (2330 + 170 * math.cos(angle), 480 + 190 * math.sin(angle))
        draw.line((2330, 480, *tip), fill=(86, 128, 92), width=22)
    draw.rectangle((2285, 470, 2375, 560), fill=(190, 120, 88))
    return wall.filter(ImageFilter.GaussianBlur(12))


def _person(picture: Image.Image, portrait: Portrait, dx: float, dy: float) -> None:
    draw = ImageDraw.Draw(picture)
    x, y = SIZE[0] * _SCALE // 2 + dx * _SCALE, 610 + dy * _SCALE
    if portrait.long_hair:
        draw.rounded_rectangle((x - 255, y - 300, x + 255, y + 330), 220, fill=portrait.hair)
    draw.rounded_rectangle((x - 560, y + 390, x + 560, y + 1400), 260, fill=portrait.clothes)
    draw.polygon(((x - 150, y + 390), (x + 150, y + 390), (x, y + 560)), fill=_shade(portrait.skin, 0.9))
    draw.rounded_rectangle((x - 95, y + 150, x + 95, y + 440), 80, fill=_shade(portrait.skin, 0.86))
    draw.ellipse((x - 205, y - 260, x + 205, y + 290), fill=portrait.skin)
    draw.pieslice((x - 225, y - 305, x + 225, y + 150), 180, 360, fill=portrait.hair)
    draw.ellipse((x - 205, y - 150, x + 150, y + 40), fill=portrait.skin)
    draw.ellipse((x - 40, y - 130, x + 205, y + 40), fill=portrait.skin)
    for side in (-1, 1):
        eye = x + side * 84
        draw.ellipse((eye - 19, y - 4, eye + 19, y + 34), fill=(46, 36, 34))
        draw.arc((eye - 46, y - 62, eye + 46, y + 10), 205, 335, fill=_shade(portrait.hair, 0.9), width=11)
    draw.line(((x, y + 40), (x - 16, y + 104), (x + 10, y + 108)), fill=_shade(portrait.skin, 0.78), width=9)
    draw.chord((x - 80, y + 110, x + 80, y + 200), 10, 170, fill=(168, 76, 72))
