"""A browser shows what an encoder sends: a picture that moves, a tone, soon, whatever the encoder's key frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.streams.media.publishing import media_workers, playing, published, token
from tests.support.api_tenant import fresh
from tests.support.browser import chromium, loudness, moves, visitor
from tests.support.flv import encode
from tests.support.product import ExternalLiveKit

CLIENT = Path(__file__).parents[3] / "web" / "node_modules" / "livekit-client" / "dist" / "livekit-client.umd.js"

WATCH = """async ([url, token]) => {
  const room = new LivekitClient.Room();
  room.on('trackSubscribed', track => {
    const made = document.createElement(track.kind);
    made.autoplay = true;
    document.body.append(made);
    made.srcObject = new MediaStream([track.mediaStreamTrack]);
    made.play();
  });
  await room.connect(url, token);
}"""


@pytest.mark.parametrize(
    "made", [{}, {"group": 10_000}, {"b_frames": 2}, {"codec": "libx265"}, {"pixels": "yuv422p"}], ids=str
)
async def test_a_browser_shows_it(bare_livekit: ExternalLiveKit, made: dict[str, Any]) -> None:
    room = fresh("room")
    url = bare_livekit.url.replace("http", "ws", 1)
    async with (
        chromium() as browser,
        visitor(browser) as person,
        media_workers() as workers,
        published(workers, bare_livekit, room) as one,
        playing(one, encode(60, **made)),
    ):
        await one.until_published()
        await person.page.add_script_tag(path=CLIENT)
        await person.page.evaluate(WATCH, [url, token(room, "ann")])
        video, audio = person.page.locator("video"), person.page.locator("audio")
        await moves(video)
        assert await loudness(audio) > 0.05
        assert one.stream.restarts == 0
