"""The first report of a stream has what is known of both tracks, and waits for a second one for a moment only."""

from __future__ import annotations

import pytest

from stagedoor.streams.media.protocol import Changed, Layers, Publishing
from tests.streams.media.publishing import media_workers, playing, published
from tests.support.api_tenant import fresh
from tests.support.flv import Tag, encode
from tests.support.product import ExternalLiveKit

LAYERS: tuple[Layers, Layers] = ("single", "ladder")
BASELINE = {"profile": "baseline", "tune": "zerolatency"}


def late_sound(tags: list[Tag]) -> list[Tag]:
    """A stream whose sound follows its first picture, as encoders send it."""
    headers = [one for one in tags if one.kind != 8 or one.is_header]
    sounds = [one for one in tags if one.kind == 8 and not one.is_header and one.ms >= 60]
    return sorted([*headers, *sounds], key=lambda one: (one.ms, not one.is_header))


@pytest.mark.parametrize("layers", LAYERS)
async def test_both_tracks_are_in_the_first_report_and_the_profile_has_one_name(
    bare_livekit: ExternalLiveKit, layers: Layers
) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, room, layers=layers) as one,
        playing(one, late_sound(encode(20, options=BASELINE))),
    ):
        await one.until_published()
        shown = [report for report in one.reports if isinstance(report, Publishing | Changed)]
        assert isinstance(shown[0], Publishing)
        assert shown[0].video is not None
        assert shown[0].video.profile == "Constrained Baseline"
        assert shown[0].audio is not None
        assert shown[0].audio.codec == "aac"


@pytest.mark.parametrize("layers", LAYERS)
async def test_a_stream_without_sound_is_reported_too(bare_livekit: ExternalLiveKit, layers: Layers) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        published(workers, bare_livekit, room, layers=layers) as one,
        playing(one, encode(20, audio=None)),
    ):
        await one.until_published()
        assert one.video is not None
