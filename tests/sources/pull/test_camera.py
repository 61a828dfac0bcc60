"""A URL that serves pictures is a camera: what becomes of odd ones, over real connections."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from stagedoor.sources.cameras import intake
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.sources.ingress.authentication import AuthenticatedIngress
from stagedoor.sources.ingress.live import LiveIngress
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.state import State
from stagedoor.sources.pull import http_client, pictures, serving
from stagedoor.sources.pull.camera import PulledCamera
from stagedoor.sources.pull.http_client import SourceFailed
from stagedoor.streams.closing import REPLACED
from stagedoor.streams.hub import Hub, Viewer
from stagedoor.streams.senders import Senders, Source
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.usage.running_meters import RunningMeters
from tests.support.cameras import frame, mark_of
from tests.support.http_camera import BOUNDARY, MULTIPART, Request, Script, answer, http_camera, moving, part
from tests.support.product import eventually

ROOM = "live-gate"
LOOPBACK = ("127.0.0.0/8",)


@dataclass
class Pulled:
    """A pull, and one who looks at its room."""

    live: LiveIngress
    senders: Senders
    viewer: Viewer
    task: asyncio.Task[bool]

    async def marks(self, count: int) -> list[str]:
        """The marks of the next pictures."""
        async with asyncio.timeout(30):
            return [mark_of((await self.viewer.next()).data) for _ in range(count)]

    async def state(self, check: Callable[[State], object]) -> State:
        """The state, once it is as wanted."""

        async def found() -> bool:
            return bool(check(self.live.state))

        await eventually(found)
        return self.live.state

    async def failure(self) -> SourceFailed:
        """Why it does not go on."""
        async with asyncio.timeout(30):
            with pytest.raises(SourceFailed) as caught:
                await self.task
        return caught.value


def live_ingress(settings: CameraSettings) -> LiveIngress:
    app = App("app_1", "org_1", "live", "Live", 0, 0, AppSettings(settings))
    ingress = Ingress(
        id="ing_1",
        app_id="app_1",
        livekit_room=ROOM,
        input_type="url",
        identity="gate",
        name="Gate",
        metadata="",
        transcoding="auto",
        layers="single",
        start="always",
        enabled=True,
        engine="embedded",
        livekit_id=None,
        url=None,
        hint=None,
        created_at=0,
        updated_at=0,
    )
    return LiveIngress(AuthenticatedIngress(ingress, app, None), "http", "pub_1", State("connecting"))


@asynccontextmanager
async def pulling(url: str, networks: tuple[str, ...] = LOOPBACK, **settings: int) -> AsyncGenerator[Pulled]:
    live = live_ingress(replace(CameraSettings(max_fps=120), **settings))
    hub = Hub()
    senders = Senders(hub, RunningMeters())
    with hub.slot(ROOM) as slot, slot.view() as viewer:
        task = asyncio.create_task(PulledCamera(live, senders, url, networks).run())
        try:
            yield Pulled(live, senders, viewer, task)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_pictures_come_unchanged_and_the_state_says_what_comes() -> None:
    sent = {number: frame(str(number), size=5_000) for number in range(1_000)}
    async with http_camera(moving(50, sent.__getitem__)) as camera, pulling(camera.url) as pulled:
        async with asyncio.timeout(30):
            seen = [await pulled.viewer.next() for _ in range(10)]
        assert [one.data for one in seen] == [sent[int(mark_of(one.data))] for one in seen]
        state = await pulled.state(lambda state: state.video is not None and state.video.fps)
        assert state.video is not None
        assert (state.status, state.video.codec, state.video.passthrough) == ("publishing", "mjpeg", True)
        assert (state.video.width, state.video.height) == (64, 48)
        assert state.video.bitrate
        assert state.last_frame_at is not None
        assert [one.event for one in pulled.live.happenings] == ["ingress.started"]
        assert pulled.senders.current()[0].source.protocol == "http"


async def test_a_camera_that_is_asked_for_one_picture_at_a_time_is_asked_once_a_second() -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(frame(str(len(camera.requests)))))

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        assert await pulled.marks(3) == ["1", "2", "3"]
        # From the first one, as each may come late: two that follow one another are nearer then.
        first, *later = [request.at for request in camera.requests]
        assert all(at - first > pictures.POLL_SECONDS * 0.9 * number for number, at in enumerate(later, 1))
        assert camera.open == 1, "one connection for all"


async def test_a_poll_that_fails_is_only_one_picture_less() -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        busy = len(camera.requests) in {2, 3}
        writer.write(answer(b"busy", status="503 Busy") if busy else answer(frame(str(len(camera.requests)))))

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        assert await pulled.marks(2) == ["1", "4"]
        assert pulled.live.state.restarts == 0


async def test_a_camera_that_ends_its_answer_is_connected_to_again() -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(MULTIPART + part(frame(f"{len(camera.requests)}")))
        await writer.drain()
        writer.close()

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        assert await pulled.marks(2) == ["1", "2"]
        assert pulled.live.state.restarts >= 1


async def test_a_camera_that_falls_silent_is_connected_to_again() -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(MULTIPART + part(frame(f"{len(camera.requests)}")))
        await asyncio.Event().wait()

    async with http_camera(script) as camera, pulling(camera.url, idle_timeout=1) as pulled:
        assert await pulled.marks(1) == ["1"]
        state = await pulled.state(lambda state: state.status == "reconnecting")
        assert state.error is not None
        assert "cameraIdleTimeout" in state.error.message
        assert await pulled.marks(1) == ["2"]


async def test_a_picture_that_breaks_off_costs_that_picture() -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        whole = frame("1")
        writer.write(MULTIPART + part(frame("0")) + part(whole[:-40]) + part(whole[:-40] + b"\xff\xd9")[:-2])
        writer.write(b"\r\n" + b"".join(part(frame(f"{number}")) for number in range(2, 5)))
        await asyncio.Event().wait()

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        await pulled.state(lambda _: pulled.senders.find(ROOM) and pulled.viewer.dropped + 1 >= 4)
        assert await pulled.marks(1) == ["4"]
        assert pulled.live.state.restarts == 0


async def test_what_can_never_be_shown_is_reported_before_it_is_given_up() -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(MULTIPART)
        while True:
            writer.write(part(frame("0", size=3_000)))
            await asyncio.sleep(0.02)

    async with http_camera(script) as camera, pulling(camera.url, max_frame_bytes=2_000) as pulled:
        state = await pulled.state(lambda state: state.error is not None)
        assert state.error is not None
        assert "3000 bytes" in state.error.message
        assert "cameraMaxFrameBytes" in state.error.message


async def test_more_than_any_app_takes_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST_FRAME", 50_000)

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(MULTIPART + part(frame("0", size=100_000)) + part(frame("1")))
        await asyncio.Event().wait()

    assert intake.LARGEST_FRAME == 8 << 20
    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        assert await pulled.marks(1) == ["1"]


async def test_a_polled_picture_that_is_too_big_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST_FRAME", 50_000)

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n")
        while True:
            writer.write(bytes(10_000))
            await writer.drain()

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        state = await pulled.state(lambda state: state.error is not None)
        assert state.error is not None
        assert "50000 bytes" in state.error.message


async def test_a_polled_picture_that_does_not_come_to_its_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PICTURE_SECONDS", 0.2)

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        whole = answer(frame(f"{len(camera.requests)}"))
        writer.write(whole if len(camera.requests) > 1 else whole[:-10])
        if len(camera.requests) == 1:
            await asyncio.Event().wait()

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        assert await pulled.marks(1) == ["2"]


async def test_a_server_that_does_not_answer_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "ANSWER_SECONDS", 0.2)

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        await (asyncio.Event().wait() if len(camera.requests) == 1 else moving()(request, writer))

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        state = await pulled.state(lambda state: state.error is not None)
        assert state.error is not None
        assert state.error.code == "source_timeout"
        assert "does not answer" in state.error.message
        assert await pulled.marks(1)


async def test_something_else_than_pictures_is_left_to_others() -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"#EXTM3U", "application/vnd.apple.mpegurl"))

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        assert await asyncio.wait_for(pulled.task, 30) is False


@pytest.mark.parametrize("head", ["Content-Type: application/octet-stream\r\n", "Content-Type: text/plain\r\n", ""])
async def test_multipart_without_its_type_is_known_by_its_first_part_as_by_ffmpeg(head: str) -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
        for number in range(1, 1_000):
            for piece in (
                b"\r\n--some",
                b"one\r\nServer: x\r\nContent-type: im",
                b"age/jpeg\r\n\r\n",
                frame(str(number)),
            ):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        assert await pulled.marks(3) == ["1", "2", "3"]


@pytest.mark.parametrize("body", [b"--", b"", b"--x\r\nContent-Type: text/plain\r\n\r\nx", b"-" * 5_000, b"\xff\xd8"])
async def test_what_only_begins_like_multipart_is_left_to_others(body: bytes) -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(body, "application/octet-stream"))

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        assert await asyncio.wait_for(pulled.task, 30) is False


async def test_a_body_that_does_not_begin_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "SNIFF_SECONDS", 0.1)

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n")
        await asyncio.Event().wait()

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        assert await asyncio.wait_for(pulled.task, 30) is False


async def test_a_camera_that_serves_something_else_later_is_tried_again() -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(camera.requests) == 2:
            writer.write(answer(b"restarting", "text/html"))
        else:
            writer.write(MULTIPART + part(frame(f"{len(camera.requests)}")))
            await writer.drain()
            writer.close()

    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        assert await pulled.marks(2) == ["1", "3"]


# The login.


def digest(algorithm: str, password: str = "se cret") -> Callable[[Script], Script]:
    """A camera that asks for a login, and checks it by itself."""
    nonces: list[str] = []

    def guard(script: Script) -> Script:
        async def guarded(request: Request, writer: asyncio.StreamWriter) -> None:
            fields = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get("authorization", "")))
            name = {"MD5": "md5", "SHA-256": "sha256"}[algorithm]

            def hashed(text: str) -> str:
                return hashlib.new(name, text.encode()).hexdigest()

            if fields.get("nonce") in nonces:
                first, second = hashed(f"ad@min:cam:{password}"), hashed(f"GET:{request.target}")
                middle = f"{fields['nonce']}:{fields['nc']}:{fields['cnonce']}:auth"
                if fields["uri"] == request.target and fields["response"] == hashed(f"{first}:{middle}:{second}"):
                    await script(request, writer)
                    return
            nonces.append(f"n{len(nonces)}")
            challenge = f'WWW-Authenticate: Digest realm="cam", nonce="{nonces[-1]}", qop="auth", algorithm={algorithm}'
            writer.write(answer(b"", "text/html", "401 Unauthorized", challenge))

        return guarded

    return guard


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_digest_is_answered_and_a_polled_camera_asks_once(algorithm: str) -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(frame(str(len(camera.requests)))))

    async with http_camera(digest(algorithm)(script)) as camera:
        url = camera.url.replace("//", "//ad%40min:se%20cret@") + "?a=b%2Fc&d"
        async with pulling(url) as pulled:
            assert await pulled.marks(2) == ["2", "3"]
        assert {request.target for request in camera.requests} == {"/stream?a=b%2Fc&d"}


async def test_basic_is_answered_and_only_when_it_is_asked_for() -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.headers.get("authorization") == "Basic YWRtaW46c2VjcmV0":
            await moving()(request, writer)
        writer.write(answer(b"", "text/html", "401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"'))

    async with http_camera(script) as camera, pulling(camera.url.replace("//", "//admin:secret@")) as pulled:
        assert await pulled.marks(1)
        assert "authorization" not in camera.requests[0].headers


async def test_a_wrong_password_is_tried_once() -> None:
    async with http_camera(digest("MD5")(moving())) as camera:
        async with pulling(camera.url.replace("//", "//ad%40min:wrong@")) as pulled:
            failure = await pulled.failure()
        assert (failure.code, failure.retry) == ("auth_failed", False)
        assert "wrong" not in str(failure)
        assert len(camera.requests) == 2


async def test_a_login_that_cannot_be_had_is_named() -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", "text/html", "401 Unauthorized", "WWW-Authenticate: Negotiate"))

    async with http_camera(script) as camera, pulling(camera.url.replace("//", "//admin:secret@")) as pulled:
        assert "Negotiate" in str(await pulled.failure())


# Where it may lead.


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/", "http://127.1:9/"])
async def test_a_private_address_that_is_not_listed_is_never_connected_to(url: str) -> None:
    async with pulling(url, networks=("192.168.1.0/24",)) as pulled:
        failure = await pulled.failure()
    assert failure.code == "address_not_allowed"
    assert "pull_allowed_networks" in str(failure)


async def test_a_camera_that_asks_for_a_password_does_not_refuse_one() -> None:
    async def closed(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", "text/html", "401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"'))

    async with http_camera(closed) as camera:
        for url, words in (
            (camera.url, "asks for a user"),
            (camera.url.replace("//", "//ada:wrong@"), "refuses the user"),
        ):
            async with pulling(url) as pulled:
                assert words in str(await pulled.failure())


async def test_each_redirect_is_checked_and_gets_no_password() -> None:
    async def target(request: Request, writer: asyncio.StreamWriter) -> None:
        if "authorization" in request.headers:
            writer.write(answer(b"", "text/html", "500 Password"))
        challenge = 'WWW-Authenticate: Basic realm="cam"'
        await moving()(request, writer) if request.target == "/open" else writer.write(
            answer(b"", "text/html", "401 Unauthorized", challenge)
        )

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        where = {"/stream": f"http://127.0.0.1:{other.port}/open", "/closed": f"http://127.0.0.1:{other.port}/closed"}
        where |= {"/private": "http://10.0.0.7/", "/file": "file:///etc/passwd", "/round": "/round"}
        writer.write(answer(b"", "text/html", "302 Found", f"Location: {where[request.target]}"))

    async with http_camera(target) as other, http_camera(script) as camera:
        async with pulling(camera.url.replace("//", "//admin:secret@")) as pulled:
            assert await pulled.marks(1)
        for path, words in {
            "/closed": "refuses the user",
            "/private": "pull_allowed_networks",
            "/file": "file",
            "/round": "redirects more than 5 times",
        }.items():
            url = camera.url.replace("//", "//admin:secret@").replace("/stream", path)
            async with pulling(url) as pulled:
                assert words in str(await pulled.failure())
        assert not any("authorization" in request.headers for request in other.requests)


# Beside other cameras.


def other_camera(*, replaces: bool) -> Source:
    return Source("cam_1", "camera", "app_1", "live", ROOM, "camera", "Camera", AppSettings(), 30, replaces)


async def test_a_room_with_another_camera_is_left_to_that() -> None:
    async with http_camera(moving()) as camera, pulling(camera.url) as pulled:
        await pulled.marks(1)
        with pulled.senders.sending(other_camera(replaces=True)) as other:
            failure = await pulled.failure()
            assert (failure.code, failure.retry) == ("room_has_camera", False)
            assert not other.closing.done()
            again = PulledCamera(pulled.live, pulled.senders, camera.url, LOOPBACK)
            with pytest.raises(SourceFailed, match="Another camera sends to this room"):
                await again.run()
            assert pulled.senders.find(ROOM) is other
            assert not other.closing.done() or other.closing.result() is not REPLACED


async def test_while_it_is_away_the_room_is_free() -> None:
    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(MULTIPART + part(frame("1")) + BOUNDARY)
        await writer.drain()
        await leaving.wait()
        writer.close()
        leaving.clear()

    leaving = asyncio.Event()
    async with http_camera(script) as camera, pulling(camera.url) as pulled:
        await pulled.marks(1)
        leaving.set()
        await pulled.state(lambda state: state.status == "reconnecting")
        assert pulled.senders.find(ROOM) is None
