"""Where pictures are: inside the canvas, apart from each other, even, and in their shape."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.streams.media.child.composition.layout import MOST_TILES, Picture, Rect, arrange

CANVASES = [(1280, 720), (1920, 1080), (640, 360), (720, 1280), (640, 640)]
sides = st.integers(min_value=90, max_value=2_160)


@st.composite
def pictures(draw: st.DrawFn) -> list[Picture]:
    count = draw(st.integers(0, 30))
    return [
        Picture(f"t{number}", f"p{number // 2}", draw(sides), draw(sides), is_screen=draw(st.integers(0, 9)) == 0)
        for number in range(count)
    ]


@given(
    canvas=st.sampled_from(CANVASES),
    shown=pictures(),
    layout=st.sampled_from(["grid", "speaker", "single:p1"]),
    speaker=st.sampled_from([None, "p0", "p3", "gone"]),
)
def test_tiles_are_even_inside_apart_and_in_shape(
    canvas: tuple[int, int], shown: list[Picture], layout: str, speaker: str | None
) -> None:
    rects = arrange(*canvas, shown, layout, speaker)
    for one in rects.values():
        assert not (one.x | one.y | one.width | one.height) & 1
        assert one.width > 0 < one.height
        assert 0 <= one.x <= one.x + one.width <= canvas[0]
        assert 0 <= one.y <= one.y + one.height <= canvas[1]
    placed = list(rects.values())
    for number, one in enumerate(placed):
        assert not any(_overlap(one, other) for other in placed[number + 1 :])
    for one in shown:
        rect = rects.get(one.key)
        if rect is not None and min(rect.width, rect.height) > 2:
            scale = min(rect.width / one.width, rect.height / one.height)
            assert abs(rect.width - one.width * scale) <= 2.5 + 2 * one.width / one.height
            assert abs(rect.height - one.height * scale) <= 2.5 + 2 * one.height / one.width


@given(canvas=st.sampled_from(CANVASES), count=st.integers(0, MOST_TILES))
def test_a_grid_shows_all_participants(canvas: tuple[int, int], count: int) -> None:
    shown = [Picture(f"t{number}", f"p{number}", 1280, 720) for number in range(count)]
    rects = arrange(*canvas, shown, "grid")
    assert list(rects) == [one.key for one in shown]
    assert len({(one.width, one.height) for one in rects.values()}) <= 1


def test_one_fills_the_canvas_and_two_are_beside_each_other() -> None:
    ann, bob = Picture("a", "ann", 640, 360), Picture("b", "bob", 1920, 1080)
    assert arrange(1280, 720, [ann], "grid") == {"a": Rect(0, 0, 1280, 720)}
    assert arrange(1280, 720, [ann, bob], "grid") == {"a": Rect(0, 180, 640, 360), "b": Rect(640, 180, 640, 360)}


def test_who_speaks_is_large_and_the_first_before_one_does() -> None:
    shown = [Picture(name, name, 1280, 720) for name in ("ann", "bob", "cyd")]
    for speaker, large in ((None, "ann"), ("gone", "ann"), ("cyd", "cyd")):
        rects = arrange(1280, 720, shown, "speaker", speaker)
        assert max(rects, key=lambda key: rects[key].width) == large
        assert rects[large].width > 1280 * 0.75
        assert len(rects) == 3


def test_a_shared_screen_is_large_in_every_layout_and_a_single_participant_is_alone() -> None:
    shown = [
        Picture("cam", "ann", 1280, 720),
        Picture("screen", "bob", 1920, 1080, is_screen=True),
        Picture("bob", "bob", 1280, 720),
    ]
    for layout in ("grid", "speaker"):
        rects = arrange(1280, 720, shown, layout, "ann")
        assert rects["screen"].width > 4 * rects["cam"].width * 0.8
        assert len(rects) == 3
    assert list(arrange(1280, 720, shown, "single:ann")) == ["cam"]
    assert set(arrange(1280, 720, shown, "single:bob")) == {"screen", "bob"}
    assert arrange(1280, 720, shown, "single:nobody") == {}


def _overlap(one: Rect, other: Rect) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )
