"""Pictures are scaled into their places, turned as their sender says, and leave nothing behind."""

from __future__ import annotations

import numpy as np
import pytest

from stagedoor.streams.media.child.composition.canvas import Canvas, Frame
from stagedoor.streams.media.child.composition.layout import Rect


def frame(width: int, height: int, turns: int = 0) -> Frame:
    """Bright in the upper left quarter."""
    luma = np.full((height, width), 60, np.uint8)
    luma[: height // 2, : width // 2] = 220
    chroma = np.full(2 * ((height + 1) // 2) * ((width + 1) // 2), 128, np.uint8)
    return Frame(0, width, height, memoryview(luma.tobytes() + chroma.tobytes()), turns)


def luma(canvas: Canvas) -> np.ndarray:
    return canvas.picture().to_ndarray()[: canvas.height]


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (321, 181), (100, 100), (1918, 1078)])
@pytest.mark.parametrize(("turns", "corner"), [(0, (0, 0)), (1, (0, 1)), (2, (1, 1)), (3, (1, 0))])
def test_a_picture_fills_its_place_and_no_other(size: tuple[int, int], turns: int, corner: tuple[int, int]) -> None:
    canvas = Canvas(640, 360)
    rect = Rect(64, 32, 200, 160)
    assert canvas.arrange({"a": rect})
    canvas.draw("a", frame(*size, turns))
    seen = luma(canvas)
    quarters = [
        [float(seen[32 + y * 80 + 20 : 32 + y * 80 + 60, 64 + x * 100 + 20 : 64 + x * 100 + 80].mean()) for x in (0, 1)]
        for y in (0, 1)
    ]
    for y in (0, 1):
        for x in (0, 1):
            assert abs(quarters[y][x] - (220 if (y, x) == corner else 60)) < 3, quarters
    outside = seen.copy()
    outside[32:192, 64:264] = 24
    assert (outside == 24).all()


def test_a_new_arrangement_clears_the_canvas_and_draws_the_same_frame_again() -> None:
    canvas, shown = Canvas(640, 360), frame(640, 360)
    canvas.arrange({"a": Rect(0, 0, 640, 360)})
    canvas.draw("a", shown)
    assert not canvas.arrange({"a": Rect(0, 0, 640, 360)})
    assert canvas.arrange({"a": Rect(320, 180, 320, 180)})
    canvas.draw("a", shown)
    canvas.draw("gone", shown)
    seen = luma(canvas)
    assert (seen[:180] == 24).all()
    assert seen[200, 340] > 200
