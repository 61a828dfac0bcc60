"""What the other tests see with is itself seen to refuse a still, a black and a missing picture, and silence."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, Locator

from tests.support.browser import keeps_moving, loudness, moves, visitor

pytestmark = pytest.mark.slow

_DRAW = """(kind) => {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [320, 180];
  const context = canvas.getContext('2d');
  let turn = 0;
  const draw = () => {
    turn += 1;
    context.fillStyle = '#000';
    context.fillRect(0, 0, 320, 180);
    if (kind === 'black') return;
    context.fillStyle = '#fff';
    context.fillRect(kind === 'moving' ? (turn * 8) % 240 : 40, 40, 80, 80);
  };
  setInterval(draw, 30);
  const video = document.createElement('video');
  [video.muted, video.autoplay] = [true, true];
  video.srcObject = kind === 'missing' ? new MediaStream() : canvas.captureStream(30);
  document.body.append(video);
}"""


@pytest.fixture
async def video(browser: Browser, request: pytest.FixtureRequest) -> AsyncGenerator[Locator]:
    async with visitor(browser) as person:
        await person.page.evaluate(_DRAW, request.param)
        yield person.page.locator("video")


@pytest.mark.parametrize("video", ["moving"], indirect=True)
async def test_a_moving_picture_moves(video: Locator) -> None:
    await moves(video)
    async with keeps_moving(video, 1.0):
        await video.page.wait_for_timeout(1200)


@pytest.mark.parametrize("video", ["still", "black", "missing"], indirect=True)
async def test_what_does_not_move_is_refused(video: Locator) -> None:
    with pytest.raises(AssertionError, match="no moving picture"):
        await moves(video, seconds=1)
    with pytest.raises(AssertionError, match="never changed"):
        async with keeps_moving(video, 1.0):
            await video.page.wait_for_timeout(500)


@pytest.mark.parametrize("video", ["moving"], indirect=True)
async def test_a_stop_of_a_moving_picture_is_noticed(video: Locator) -> None:
    await moves(video)

    async def stop() -> None:
        async with keeps_moving(video, 0.5):
            await video.page.wait_for_timeout(300)
            await video.evaluate("video => video.pause()")
            await video.page.wait_for_timeout(800)

    with pytest.raises(AssertionError, match="stood still"):
        await stop()


async def test_silence_is_no_sound(browser: Browser) -> None:
    async with visitor(browser) as person:
        await person.page.evaluate("""() => {
          const audio = document.createElement('audio');
          audio.srcObject = new AudioContext().createMediaStreamDestination().stream;
          document.body.append(audio);
        }""")
        assert await loudness(person.page.locator("audio"), 0.5) == 0
