"""An encoder's pictures and sound reach a participant of the room, and everything that is known of it is right."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import numpy as np
import pytest
from livekit import rtc

from tests.support.api_feed import following
from tests.support.api_tenant import new_app
from tests.support.ports import free_ports
from tests.support.product import Api, RunningProduct, eventually, running
from tests.support.rtmp_pushing import ffmpeg
from tests.support.tracks import audio_frames, video_frames

TONE: Final = 1_000
RATE: Final = 48_000


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    (port,) = free_ports(1)
    with running(tmp_path_factory.mktemp("ingress"), STAGEDOOR_RTMP_LISTEN=f"127.0.0.1:{port}") as made:
        yield made


@pytest.fixture
async def api(product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, product.url, product.api_key)


@asynccontextmanager
async def pushing(ingress: dict[str, Any]) -> AsyncGenerator[asyncio.subprocess.Process]:
    """FFmpeg with what the ingress's creation answered."""
    command = ffmpeg(f"{ingress['url']}/{ingress['streamKey']}", 300, "-bf", "0", "-tune", "zerolatency")
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


class Viewer:
    """A participant who looks and listens.

    Attributes:
        differences: How much each picture differs from the one before, on average.
        tones: The strongest frequency of each half second of sound, in Hz.
    """

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.differences: list[float] = []
        self.tones: list[float] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.room.on("track_subscribed", self._subscribed)

    def _subscribed(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteVideoTrack):
            self._tasks.append(asyncio.create_task(self._look(track)))
        elif isinstance(track, rtc.RemoteAudioTrack):
            self._tasks.append(asyncio.create_task(self._listen(track)))

    async def _look(self, track: rtc.RemoteVideoTrack) -> None:
        before: np.ndarray[Any, Any] | None = None
        async for event in video_frames(track, format=rtc.VideoBufferType.RGB24):
            frame = event.frame
            if (frame.width, frame.height) != (320, 240):
                continue
            pixels = np.frombuffer(frame.data, np.uint8).astype(np.int16)
            if before is not None:
                self.differences.append(float(np.abs(pixels - before).mean()))
            before = pixels

    async def _listen(self, track: rtc.RemoteAudioTrack) -> None:
        heard = np.zeros(0, np.int16)
        async for event in audio_frames(track, sample_rate=RATE, num_channels=1):
            heard = np.concatenate([heard, np.frombuffer(event.frame.data, np.int16)])
            if len(heard) >= RATE // 2:
                spectrum = np.abs(np.fft.rfft(heard[: RATE // 2]))
                if spectrum.max() > 0:
                    self.tones.append(float(spectrum.argmax() * 2))
                heard = heard[RATE // 2 :]

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.room.disconnect()


@asynccontextmanager
async def viewing(api: Api, app: str, room: str) -> AsyncGenerator[Viewer]:
    body = {"room": room, "identity": "viewer", "canPublish": False}
    token = (await api("POST", f"/apps/{app}/tokens", body, expect=201))["data"]
    viewer = Viewer()
    await viewer.room.connect(token["wsUrl"], token["token"])
    try:
        yield viewer
    finally:
        await viewer.leave()


async def created(api: Api, app: str, **body: Any) -> dict[str, Any]:
    answer = await api("POST", f"/apps/{app}/ingress", {"inputType": "rtmp", "room": "stage", **body}, expect=201)
    made: dict[str, Any] = answer["data"]
    return made


async def state_of(api: Api, app: str, ingress: dict[str, Any], status: str) -> dict[str, Any]:
    async def so() -> Any:
        state = (await api("GET", f"/apps/{app}/ingress/{ingress['ingressId']}"))["data"]["state"]
        return state if state["status"] == status else None

    found: dict[str, Any] = await eventually(so)
    return found


async def test_pictures_and_sound_arrive_and_everything_is_known_until_it_is_deleted(
    api: Api, product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    app = await new_app(api)
    ingress = await created(api, app, participantIdentity="obs", participantName="Main stage", participantMetadata="x")
    feed = following(http, product.url, product.api_key, app, after=0)
    async with feed as events, pushing(ingress) as encoder, viewing(api, app, "stage") as viewer:
        await eventually(lambda: asyncio.sleep(0, len(viewer.differences) > 50 and len(viewer.tones) > 4))
        assert sum(difference > 0.1 for difference in viewer.differences[-25:]) > 20, "the picture moves"
        assert all(abs(tone - TONE) <= 10 for tone in viewer.tones[-3:]), viewer.tones
        (seen,) = viewer.room.remote_participants.values()
        assert (seen.identity, seen.name, seen.metadata) == ("obs", "Main stage", "x")
        assert seen.attributes["stagedoor.source"] == "rtmp"

        state = await state_of(api, app, ingress, "publishing")
        assert state["participantSid"] == seen.sid
        assert (state["video"]["codec"], state["video"]["width"], state["video"]["passthrough"]) == ("h264", 320, True)
        assert (state["audio"]["codec"], state["audio"]["passthrough"]) == ("aac", False)

        async def session() -> Any:
            (found,) = (await api("GET", f"/apps/{app}/sessions"))["data"]
            people = {person["identity"]: person["kind"] for person in found["participants"]}
            return found if people == {"obs": "ingress", "viewer": "standard"} else None

        await eventually(session)
        await api("DELETE", f"/apps/{app}/ingress/{ingress['ingressId']}", expect=204)
        assert await encoder.wait() != 0, "the encoder is disconnected"
        await eventually(lambda: asyncio.sleep(0, not viewer.room.remote_participants))
        found: list[Any] = []
        async for event in events:
            if event.type.startswith("ingress."):
                found.append(event)
            if event.type == "ingress.ended":
                break
        assert found[0].type == "ingress.started"
        detail = found[-1].data["detail"]
        assert (detail["ingressId"], detail["reason"]) == (ingress["ingressId"], "deleted")
        assert detail["durationMs"] > 0
    await api("DELETE", f"/apps/{app}/rooms/stage", expect=204)

    async def billed() -> Any:
        rows = (await api("GET", f"/usage?group=app&bucket=all&app={app}"))["data"]
        return rows and rows[0]["usage"]["ingressMinutes"] > 0 and rows[0]["usage"]

    usage = await eventually(billed)
    assert usage["participantMinutes"] > 0, "the viewer's"


async def test_a_participant_that_is_removed_and_a_room_that_is_ended_end_the_stream(api: Api) -> None:
    app = await new_app(api)
    for method in ("participant", "room"):
        ingress = await created(api, app, room=method, participantIdentity="obs")
        async with pushing(ingress) as encoder:
            await state_of(api, app, ingress, "publishing")

            async def there() -> bool:
                return (await api.raw("GET", f"/apps/{app}/rooms/{method}/participants/obs"))[0] == 200  # noqa: B023

            await eventually(there)
            path = f"/apps/{app}/rooms/{method}"
            await api("DELETE", f"{path}/participants/obs" if method == "participant" else path)
            assert await encoder.wait() != 0
        await state_of(api, app, ingress, "inactive")


async def test_a_stream_beyond_a_limit_of_the_app_is_refused_by_its_name(api: Api) -> None:
    app = await new_app(api, ingressMaxWidth=160)
    ingress = await created(api, app)
    async with pushing(ingress) as encoder:
        assert await encoder.wait() != 0
    error = (await state_of(api, app, ingress, "error"))["error"]
    assert error["code"] == "limit_exceeded"
    assert error["message"] == (
        "The video is 320 pixels wide; the limit is 160. The app's setting ingressMaxWidth sets it."
    )


def media_workers(product: RunningProduct) -> set[int]:
    """The processes that publish: those that the process has forked that Stagedoor has started for it."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = stat.read_text()
            parents[int(stat.parent.name)] = int(text.rpartition(")")[2].split()[1])
    media = {
        pid
        for pid, parent in parents.items()
        if parent == product.pid and b"stagedoor.streams.media.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    }
    return {pid for pid, parent in parents.items() if parent in media}


async def participant_sid(api: Api, app: str, ingress: dict[str, Any], other_than: str | None = None) -> str:
    """The SID of its participant as the state has it, once it has one."""

    async def found() -> str | None:
        sid = (await api("GET", f"/apps/{app}/ingress/{ingress['ingressId']}"))["data"]["state"]["participantSid"]
        return None if sid == other_than else sid

    return await eventually(found)


async def test_a_crash_of_the_media_worker_is_an_interruption(api: Api, product: RunningProduct) -> None:
    app = await new_app(api)
    ingress = await created(api, app)
    before = media_workers(product)
    async with pushing(ingress) as encoder:
        began = await state_of(api, app, ingress, "publishing")
        first = await participant_sid(api, app, ingress)
        (worker,) = media_workers(product) - before
        os.kill(worker, signal.SIGKILL)

        async def again() -> Any:
            state = (await api("GET", f"/apps/{app}/ingress/{ingress['ingressId']}"))["data"]["state"]
            return state if state["status"] == "publishing" and state["restarts"] == 1 else None

        state = await eventually(again)
        assert (state["startedAt"], state["error"]) == (began["startedAt"], None)
        assert encoder.returncode is None, "the encoder keeps its connection"
        second = await participant_sid(api, app, ingress, other_than=first)
        room = ingress["roomName"]

        async def there() -> bool:
            people = (await api("GET", f"/apps/{app}/rooms/{room}/participants"))["data"]
            return [one["sid"] for one in people] == [second]

        await eventually(there)


async def test_a_killed_stagedoor_leaves_no_stream_that_seems_to_live(api: Api, product: RunningProduct) -> None:
    app = await new_app(api)
    ingress = await created(api, app)
    async with pushing(ingress):
        await state_of(api, app, ingress, "publishing")
        product.kill()
    await asyncio.to_thread(product.start)
    state = (await api("GET", f"/apps/{app}/ingress/{ingress['ingressId']}"))["data"]["state"]
    assert (state["status"], state["participantSid"], state["video"]) == ("inactive", None, None)
    async with pushing(ingress):
        await state_of(api, app, ingress, "publishing")
