"""What is remembered of refused frames of cameras that are not live."""

from __future__ import annotations

from stagedoor.sources.cameras.authentication import AuthenticatedCamera
from stagedoor.sources.cameras.http_ingest import MOST_REFUSED, HttpIngest
from stagedoor.sources.cameras.intake import Rejected
from stagedoor.sources.cameras.live import LiveCameras
from stagedoor.sources.cameras.nouns import Camera
from stagedoor.sources.cameras.presence_events import PresenceEvents
from stagedoor.streams.hub import Hub
from stagedoor.streams.senders import Senders
from stagedoor.tenancy.nouns import App
from stagedoor.usage.running_meters import RunningMeters

APP = App("app_1", "org_1", "live", "Live", 0, 0)


class NoEvents(PresenceEvents):
    """Cameras that are never live have no events."""

    def __init__(self) -> None: ...


def camera(number: int) -> AuthenticatedCamera:
    name = f"cam_{number}"
    return AuthenticatedCamera(Camera(name, "app_1", f"live-{number}", "camera", name, "hint", True, 0, 0), APP, name)


def test_refused_frames_are_remembered_of_so_many_cameras() -> None:
    ingest = HttpIngest(LiveCameras(Senders(Hub(), RunningMeters())), NoEvents())
    for number in range(MOST_REFUSED):
        ingest.refuse(camera(number), Rejected("not_jpeg", "first"))
    ingest.refuse(camera(0), Rejected("too_big", "second"))
    ingest.refuse(camera(MOST_REFUSED), Rejected("not_jpeg", "first"))
    kept = ingest.refused("cam_0")
    assert kept is not None
    assert (kept.count, kept.last.message) == (2, "second")
    assert ingest.refused("cam_1") is None
    assert sum(ingest.refused(f"cam_{number}") is not None for number in range(MOST_REFUSED + 1)) == MOST_REFUSED
