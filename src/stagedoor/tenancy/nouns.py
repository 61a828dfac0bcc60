"""Organisations, apps and API keys as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.scopes import expand

TranscriptPolicy = Literal["off", "speech", "speech_and_chat"]
PlaybackPolicy = Literal["signed", "public"]
CameraConflict = Literal["refuse", "takeover"]
CameraBridge = Literal["off", "demand", "always"]


@dataclass(frozen=True, slots=True)
class Organisation:
    """A tenant. Times are milliseconds since the epoch."""

    id: str
    name: str
    slug: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class AppSettings:
    """What an app decides for its rooms.

    Attributes:
        playback_policy: `signed` lets in only links with a short signed token; `public` lets in everybody.
        frame_ancestors: Origins that may show the pages in a frame; `None` lets anybody frame the embed page
            and nobody the others.
        max_token_ttl: Longest life of a join token, in seconds.
        transcript: What is recorded of every session that does not say otherwise.
        transcript_retention: Seconds after its end for which a transcript is kept; `None` keeps it.
        event_retention: Seconds for which events are kept; `None` keeps them.
        camera_limit: Cameras that the app may have.
        camera_max_fps: Frames a second that are taken from a camera.
        camera_max_frame_bytes: Size of the largest frame that is taken.
        camera_idle_timeout: Seconds without a frame after which a camera is disconnected.
        camera_query_key: Whether a camera may send its key in the URL, where proxies log it.
        camera_conflict: What happens to a camera that comes to a room in which another one sends.
        camera_bridge: When a camera's frames become a WebRTC track.
        camera_slate: Whether viewers of a camera that is not there see a picture that says so.
        camera_resume: Seconds that viewers stay after a camera went away.
        camera_max_viewers: Viewers of one room's frames at a time, on one node.
    """

    playback_policy: PlaybackPolicy = "signed"
    frame_ancestors: tuple[str, ...] | None = None
    max_token_ttl: int = 7 * 86_400
    transcript: TranscriptPolicy = "off"
    transcript_retention: int | None = None
    event_retention: int | None = None
    camera_limit: int = 100
    camera_max_fps: int = 30
    camera_max_frame_bytes: int = 524_288
    camera_idle_timeout: int = 30
    camera_query_key: bool = False
    camera_conflict: CameraConflict = "refuse"
    camera_bridge: CameraBridge = "demand"
    camera_slate: bool = False
    camera_resume: int = 30
    camera_max_viewers: int = 1_000


@dataclass(frozen=True, slots=True)
class App:
    """A namespace of rooms inside an organisation. Times are milliseconds since the epoch."""

    id: str
    organisation_id: str
    slug: str
    name: str
    created_at: int
    updated_at: int
    settings: AppSettings = field(default_factory=AppSettings)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key, without its secret. Times are milliseconds since the epoch.

    Attributes:
        hint: The last four characters of the secret, so that a person can tell keys apart.
    """

    id: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    organisation_id: str | None
    app_id: str | None
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None

    def usable(self, now: int) -> bool:
        """True until the key expires. A revoked key is not stored any more."""
        return self.expires_at is None or now < self.expires_at

    def principal(self) -> Principal:
        """The caller that this key makes."""
        return Principal(self.id, expand(frozenset(self.scopes)), self.organisation_id, self.app_id, self.expires_at)
