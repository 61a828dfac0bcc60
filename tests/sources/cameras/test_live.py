"""Two cameras never send to one room at once, whatever arrives of the older one after the newer one came."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.errors import Conflict, Unavailable
from stagedoor.sources.cameras.authentication import AuthenticatedCamera
from stagedoor.sources.cameras.close_codes import GOING_AWAY, REPLACED, REVOKED
from stagedoor.sources.cameras.live import LiveCamera, LiveCameras
from stagedoor.sources.cameras.nouns import Camera
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.streams.hub import Hub
from stagedoor.streams.senders import Senders
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.usage.running_meters import RunningMeters
from tests.support.cameras import frame, mark_of

ROOM = "live-door"


def admitted(name: str, conflict: str = "takeover") -> AuthenticatedCamera:
    settings = AppSettings(CameraSettings(conflict=conflict, max_fps=120))  # pyright: ignore[reportArgumentType]
    app = App("app_1", "org_1", "live", "Live", 0, 0, settings)
    return AuthenticatedCamera(Camera(name, "app_1", ROOM, "camera", name, "hint", True, 0, 0), app, name)


@given(st.lists(st.tuples(st.sampled_from(["come", "send", "send", "send", "go"]), st.integers(0, 2)), max_size=60))
def test_only_the_last_one_that_came_is_seen(steps: list[tuple[str, int]]) -> None:
    async def run() -> None:
        hub = Hub()
        senders = Senders(hub, RunningMeters())
        cameras = LiveCameras(senders)
        open_now: list[tuple[AbstractContextManager[LiveCamera], LiveCamera, int]] = []
        newest = -1
        with hub.slot(ROOM) as slot:
            for number, (step, which) in enumerate(steps):
                if step == "come":
                    context = cameras.sending(admitted(f"cam_{which}"))
                    open_now.append((context, context.__enter__(), number))
                    newest = number
                elif open_now:
                    at = which % len(open_now)
                    context, live, since = open_now[at]
                    if step == "send":
                        before = slot.newest
                        why = live.take(frame(f"{since}"))
                        assert why is (None if since == newest else REPLACED)
                        if why is not None:
                            assert slot.newest is before
                        elif live.intake.dropped == 0:
                            assert slot.newest is not None
                            assert mark_of(slot.newest.data) == str(since)
                    else:
                        context.__exit__(None, None, None)
                        del open_now[at]
                        assert slot.sending is any(since == newest for _, _, since in open_now)
                found = cameras.find(ROOM)
                assert found is next((live for _, live, since in open_now if since == newest), None)
                assert cameras.current() == (() if found is None else (found,))
            for context, _, _ in open_now:
                context.__exit__(None, None, None)
        assert hub.find(ROOM) is None

    asyncio.run(run())


async def test_another_one_is_refused_and_the_same_one_is_not() -> None:
    cameras = LiveCameras(Senders(Hub(), RunningMeters()))
    with cameras.sending(admitted("cam_1", "refuse")) as first:
        with pytest.raises(Conflict), cameras.sending(admitted("cam_2", "refuse")):
            pass
        assert first.take(frame("a")) is None
        with cameras.sending(admitted("cam_1", "refuse")) as again:
            assert first.take(frame("b")) is REPLACED
            assert again.take(frame("c")) is None


async def test_nothing_is_taken_once_the_key_is_no_good_or_the_product_stops() -> None:
    senders = Senders(Hub(), RunningMeters())
    cameras = LiveCameras(senders)
    with cameras.sending(admitted("cam_1")) as live:
        live.close(REVOKED)
        assert live.take(frame("a")) is REVOKED
        assert live.slot.newest is None
    with cameras.sending(admitted("cam_1")) as live:
        stopping = asyncio.create_task(senders.close())
        await asyncio.sleep(0)
        assert live.take(frame("a")) is GOING_AWAY
        with pytest.raises(Unavailable), cameras.sending(admitted("cam_2")):
            pass
        assert not stopping.done(), "it waits until the camera has sent its last message"
    await stopping
