"""A room of real participants is composed: every picture in its tile, every tone in the mix, and both in step."""

from __future__ import annotations

import numpy as np
from livekit import rtc

from stagedoor.streams.media.protocol import Ended, Publishing
from tests.streams.media.publishing import media_workers, token
from tests.support.api_tenant import fresh
from tests.support.composed import Seen, composed, is_near
from tests.support.jpegs import BLUE, GREEN, RED
from tests.support.product import ExternalLiveKit, eventually
from tests.support.room_people import person

LOW, HIGH = 440.0, 1250.0
DARK = (9, 9, 9)


async def test_two_participants_are_seen_and_heard_and_one_who_leaves_makes_place(
    bare_livekit: ExternalLiveKit,
) -> None:
    room = fresh("room")
    async with media_workers() as workers, person(bare_livekit.url, token(room, "ann")) as ann:
        await ann.show(RED)
        await ann.sound(LOW)
        async with composed(workers, bare_livekit, room) as one:
            seen = await one.until(lambda seen: is_near(seen.colour(0.5, 0.5), RED) and seen.loudness(LOW) > 0.15)
            assert seen.loudness(HIGH) < 0.02
            async with person(bare_livekit.url, token(room, "bob")) as bob:
                await bob.show(BLUE)
                await bob.sound(HIGH)
                await one.until(
                    lambda seen: (
                        is_near(seen.colour(0.25, 0.5), RED)
                        and is_near(seen.colour(0.75, 0.5), BLUE)
                        and min(seen.loudness(LOW), seen.loudness(HIGH)) > 0.15
                    )
                )
            seen = await one.until(lambda seen: is_near(seen.colour(0.8, 0.1), RED) and seen.loudness(HIGH) < 0.02)
            assert seen.loudness(LOW) > 0.15
            assert any(isinstance(report, Publishing) for report in one.reports)


async def test_a_muted_camera_makes_place_and_a_muted_microphone_is_silent(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        person(bare_livekit.url, token(room, "ann")) as ann,
        person(bare_livekit.url, token(room, "bob")) as bob,
        composed(workers, bare_livekit, room) as one,
    ):
        await ann.show(RED)
        await bob.show(BLUE)
        tone = await bob.sound(HIGH)
        await one.until(lambda seen: {_name(seen, 0.25), _name(seen, 0.75)} == {"red", "blue"})
        await one.until(lambda seen: seen.loudness(HIGH) > 0.15)
        camera = next(
            its
            for its in bob.room.local_participant.track_publications.values()
            if its.kind == rtc.TrackKind.KIND_VIDEO
        )
        assert isinstance(camera.track, rtc.LocalVideoTrack)
        assert isinstance(tone.track, rtc.LocalAudioTrack)
        camera.track.mute()
        tone.track.mute()
        await one.until(lambda seen: _name(seen, 0.15) == _name(seen, 0.85) == "red" and seen.loudness(HIGH) < 0.02)
        camera.track.unmute()
        tone.track.unmute()
        await one.until(
            lambda seen: {_name(seen, 0.25), _name(seen, 0.75)} == {"red", "blue"} and seen.loudness(HIGH) > 0.15
        )


async def test_a_shared_screen_is_large_and_an_upright_picture_keeps_its_shape(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        person(bare_livekit.url, token(room, "ann")) as ann,
        composed(workers, bare_livekit, room) as one,
    ):
        # The frames lie on their side; their rotation says how they are to be turned.
        await ann.show(RED, (640, 360), rotation=rtc.VideoRotation.VIDEO_ROTATION_90)
        await one.until(
            lambda seen: (
                is_near(seen.colour(0.5, 0.05), RED)
                and is_near(seen.colour(0.5, 0.95), RED)
                and is_near(seen.colour(0.3, 0.5), DARK)
                and is_near(seen.colour(0.7, 0.5), DARK)
            )
        )
        await ann.show(GREEN, (640, 360), screen=True)
        await one.until(lambda seen: is_near(seen.colour(0.1, 0.5), GREEN) and is_near(seen.colour(0.89, 0.5), RED))


async def test_picture_and_sound_of_a_participant_are_in_step(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        person(bare_livekit.url, token(room, "ann")) as ann,
        composed(workers, bare_livekit, room, fps=25) as one,
    ):
        await ann.flash()
        offsets: list[float] = []

        def enough(seen: Seen) -> bool:
            offsets[:] = _offsets(seen)
            return len(offsets) >= 4

        await one.until(enough, parts=16)
        assert abs(float(np.median(offsets))) < 0.08, offsets


async def test_the_composition_of_a_room_without_participants_ends(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with media_workers() as workers, person(bare_livekit.url, token(room, "ann")) as ann:
        await ann.show(RED)
        async with composed(workers, bare_livekit, room, empty_seconds=0.5) as one:
            await one.until(lambda seen: is_near(seen.colour(0.5, 0.5), RED))
            await ann.leave()

            async def ended() -> Ended | None:
                return next((report for report in one.reports if isinstance(report, Ended)), None)

            end = await eventually(ended)
            assert (end.code, end.retry) == ("source_ended", False)


def _name(seen: Seen, x: float) -> str:
    colours = {"red": RED, "blue": BLUE}
    return next((name for name, colour in colours.items() if is_near(seen.colour(x, 0.5), colour)), "other")


def _offsets(seen: Seen) -> list[float]:
    """From each beep to the flash that is nearest, in seconds."""
    bright = [time for time, picture in seen.pictures if picture.mean() > 128]
    loud = [seen.began + int(place) / 48_000 for place in np.flatnonzero(np.abs(seen.sound) > 0.1)]
    flashes, beeps = _first(bright), _first(loud)
    found = [min((flash - beep for flash in flashes), key=abs) for beep in beeps if flashes]
    return [offset for offset in found if abs(offset) < 0.5]  # the first may have lost its other half


def _first(times: list[float]) -> list[float]:
    return [time for before, time in zip([-9.0, *times], times, strict=False) if time - before > 0.5]


async def test_who_speaks_is_large(
    bare_livekit: ExternalLiveKit,
) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        person(bare_livekit.url, token(room, "ann")) as ann,
        person(bare_livekit.url, token(room, "bob")) as bob,
        composed(workers, bare_livekit, room, layout="speaker") as one,
    ):
        await ann.show(RED)
        await bob.show(BLUE)
        await one.until(lambda seen: {_name(seen, 0.4), _name(seen, 0.89)} == {"red", "blue"})
        tone = await bob.sound(HIGH)
        await one.until(lambda seen: _name(seen, 0.4) == "blue" and _name(seen, 0.89) == "red")
        assert isinstance(tone.track, rtc.LocalAudioTrack)
        tone.track.mute()
        await ann.sound(LOW)
        await one.until(lambda seen: _name(seen, 0.4) == "red" and _name(seen, 0.89) == "blue")


async def test_one_participant_alone_is_shown_when_the_layout_says_so(bare_livekit: ExternalLiveKit) -> None:
    room = fresh("room")
    async with (
        media_workers() as workers,
        person(bare_livekit.url, token(room, "ann")) as ann,
        person(bare_livekit.url, token(room, "bob")) as bob,
        composed(workers, bare_livekit, room, layout="single:bob") as one,
    ):
        await ann.show(RED)
        await bob.show(BLUE)
        await bob.sound(HIGH)
        await one.until(lambda seen: {_name(seen, 0.1), _name(seen, 0.9)} == {"blue"} and seen.loudness(HIGH) > 0.15)
