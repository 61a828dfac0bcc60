"""The addresses of pages, as they are given to callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit

from stagedoor.access.links import Use
from stagedoor.access.settings import PlaybackSettings
from stagedoor.services.services import Services
from stagedoor.tenancy.nouns import App

PageKind = Literal["play", "embed", "meet", "publish"]
FramesKind = Literal["mjpeg", "frame", "ws"]


def page_path(kind: PageKind, app: App, livekit_room: str) -> str:
    """`/play/live/live-demo`."""
    return f"/{kind}/{app.slug}/{quote(livekit_room, safe='')}"


def page_url(services: Services, kind: PageKind, app: App, livekit_room: str, ttl: int) -> str:
    """A page's URL that works as it is: signed for `ttl` seconds where the app asks for that."""
    return services.public_url + page_path(kind, app, livekit_room) + _query(services, kind, app, livekit_room, ttl)


def watching_urls(services: Services, app: App, livekit_room: str, ttl: int) -> tuple[str, str]:
    """The URLs of the play and the embed page, which one signature opens."""
    query = _query(services, "play", app, livekit_room, ttl)
    play, embed = (services.public_url + page_path(kind, app, livekit_room) for kind in ("play", "embed"))
    return play + query, embed + query


def frames_url(services: Services, kind: FramesKind, app: App, livekit_room: str, ttl: int) -> str:
    """The URL of a camera's frames that works as it is, likewise."""
    addresses = FrameAddresses(services.public_url, app.slug, livekit_room)
    plain = {"mjpeg": addresses.mjpeg, "frame": addresses.frame, "ws": addresses.viewer_socket}[kind]
    query = _query(services, "play", app, livekit_room, ttl)
    return plain + (query.replace("?", "&", 1) if "?" in plain else query)


def hls_url(services: Services, app: App, livekit_room: str, ttl: int) -> str:
    """The URL of a room's HLS that works as it is, likewise."""
    plain = f"{services.public_url}/hls/{app.slug}/{quote(livekit_room, safe='')}/index.m3u8"
    return plain + _query(services, "play", app, livekit_room, ttl)


def is_public(app: App) -> bool:
    """Whether the app's rooms may be watched without a token."""
    return app.settings.of(PlaybackSettings).playback_policy == "public"


def _query(services: Services, kind: PageKind, app: App, livekit_room: str, ttl: int) -> str:
    use: Use = "play" if kind == "embed" else kind
    if use == "play" and is_public(app):
        return ""
    return f"?token={services.signer.sign(use, livekit_room, ttl)}"


def rtmp_url(services: Services) -> str | None:
    """Where encoders push to by RTMP, with their key as the last part of the path; `None` when RTMP is off."""
    settings = services.settings
    if settings.rtmp_url is not None:
        return settings.rtmp_url
    _, colon, port = settings.rtmp_listen.rpartition(":")
    if not colon:  # it is off
        return None
    host = urlsplit(services.public_url).hostname or "127.0.0.1"
    return f"rtmp://{f'[{host}]' if ':' in host else host}:{port}/live"


def whip_url(services: Services, app: App, livekit_room: str) -> str:
    """Where encoders push to by WHIP, with their key as Bearer."""
    return f"{services.public_url}/whip/{app.slug}/{quote(livekit_room, safe='')}"


@dataclass(frozen=True, slots=True)
class FrameAddresses:
    """Where a room's frames go in and out.

    Attributes:
        public_url: Where callers reach us, without a slash at the end.
        app: The app's slug.
        livekit_room: The room's LiveKit name.
    """

    public_url: str
    app: str
    livekit_room: str

    @property
    def camera_socket(self) -> str:
        """Where a camera connects to."""
        return f"{self._socket}/ingest/ws?{self._query}"

    @property
    def viewer_socket(self) -> str:
        """Frames by WebSocket."""
        return f"{self._socket}/live/ws?{self._query}"

    @property
    def mjpeg(self) -> str:
        """Frames as a picture that goes on changing."""
        return f"{self._live}/mjpeg"

    @property
    def frame(self) -> str:
        """The newest frame."""
        return f"{self._live}/frame.jpg"

    @property
    def _live(self) -> str:
        return f"{self.public_url}/live/{self.app}/{quote(self.livekit_room, safe='')}"

    @property
    def _socket(self) -> str:
        return f"ws{self.public_url.removeprefix('http')}"

    @property
    def _query(self) -> str:
        return urlencode({"app": self.app, "room": self.livekit_room})


def account_link_url(services: Services, secret: str) -> str:
    """The page that an account link opens. Browsers send what is behind the # to no server, and no proxy logs it."""
    return f"{services.public_url}/welcome#{secret}"


def invitation_url(services: Services, secret: str) -> str:
    """The page that an invitation opens; what is behind the # is sent to no server."""
    return f"{services.public_url}/invitation#{secret}"
