"""The server with raw sockets: refusals, time-outs, strangers on its port, and streams that end on either side."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stagedoor.kernel.metrics import REGISTRY
from stagedoor.sources.rtmp.certificate import Certificate
from stagedoor.sources.rtmp.message import AUDIO, VIDEO, Message
from stagedoor.sources.rtmp.peer import UNSENT, WRITTEN_UNCHECKED
from stagedoor.sources.rtmp.settings import RtmpSettings
from stagedoor.sources.rtmp.status import bad_name
from tests.support.certificates import Authority, make_authority
from tests.support.rtmp_encoder import AVC_CONFIG, HANDSHAKE, codes, command, tags
from tests.support.rtmp_server import KEY, RawEncoder, serving

pytestmark = pytest.mark.anyio

QUICK = RtmpSettings(rtmp_handshake_timeout=1, rtmp_publish_timeout=1, rtmp_silent_timeout=1)


def closed(reason: str) -> float:
    return REGISTRY.get_sample_value("stagedoor_rtmp_closed_total", {"reason": reason}) or 0.0


async def test_a_stream_is_taken_and_ends_with_its_connection() -> None:
    async with serving() as served:
        encoder = await RawEncoder.connect(served.port)
        await encoder.publish()
        assert (await encoder.until_code("NetStream.Publish.Start"))[0] == "NetConnection.Connect.Success"
        encoder.writer.write(encoder.chunks.write(Message(VIDEO, 1, 0, AVC_CONFIG), 6))
        recording = await served.recorder.first()
        await recording.until_bytes(len(AVC_CONFIG))
        encoder.close()
        assert "ended" in await recording.until_end()
        assert [kind for kind, _, _ in tags(bytes(recording.data))] == [VIDEO]
        assert recording.request.peer == "127.0.0.1"
        assert recording.request.encoder == "FMLE/3.0"
        assert recording.ends == ["The encoder's connection ended."]
        assert recording.failures == [None]


async def test_a_wrong_key_is_refused_before_any_start_and_then_disconnected() -> None:
    """Case N05."""
    async with serving() as served:
        before = REGISTRY.get_sample_value("stagedoor_rtmp_publishes_total", {"result": "wrong_key"}) or 0
        encoder = await RawEncoder.connect(served.port)
        with capture_logs() as logs:
            await encoder.publish("wrong", app="live/secret?token=secret")
            answered = await encoder.until_end()
        assert codes(answered) == ["NetConnection.Connect.Success", "NetStream.Publish.BadName"]
        assert REGISTRY.get_sample_value("stagedoor_rtmp_publishes_total", {"result": "wrong_key"}) == before + 1
        refused = next(line for line in logs if line["event"] == "rtmp_publish_refused")
        assert refused["detail"] == "No stream has this key."
        assert "secret" not in str(refused)


async def test_after_many_wrong_keys_of_an_address_there_is_no_answer_and_right_keys_go_on() -> None:
    async with serving(RtmpSettings(rtmp_max_connects_per_second=1_000)) as served:
        encoders = [await RawEncoder.connect(served.port) for _ in range(34)]
        for encoder in encoders:
            await encoder.publish("wrong")
        answers = await asyncio.gather(*(encoder.until_end() for encoder in encoders))
        refused = [codes(answered)[-1:] == ["NetStream.Publish.BadName"] for answered in answers]
        assert refused.count(False) in (4, 34 - 30)
        right = await RawEncoder.connect(served.port)
        await right.publish()
        await right.until_code("NetStream.Publish.Start")
        right.close()


async def test_the_taker_ends_a_stream_with_a_status() -> None:
    async with serving() as served:
        encoder = await RawEncoder.connect(served.port)
        await encoder.publish()
        await encoder.until_code("NetStream.Publish.Start")
        recording = await served.recorder.first()
        recording.ending.set_result(bad_name("Another encoder has taken the stream over."))
        assert codes(await encoder.until_end())[-1] == "NetStream.Publish.BadName"
        assert recording.ends == ["Another encoder has taken the stream over."]


async def test_a_codec_that_is_not_taken_is_reported_to_the_encoder_and_to_the_taker() -> None:
    async with serving() as served:
        encoder = await RawEncoder.connect(served.port)
        await encoder.publish()
        await encoder.until_code("NetStream.Publish.Start")
        encoder.writer.write(encoder.chunks.write(Message(VIDEO, 1, 0, b"\x90vvc1" + bytes(20)), 6))
        assert codes(await encoder.until_end())[-1] == "NetStream.Publish.Failed"
        assert "H.264" in (await served.recorder.first()).ends[0]
        assert (await served.recorder.first()).failures == ["unsupported_codec"]


async def test_an_encoder_may_publish_again_on_its_connection() -> None:
    async with serving() as served:
        encoder = await RawEncoder.connect(served.port)
        await encoder.publish()
        await encoder.until_code("NetStream.Publish.Start")
        encoder.writer.write(encoder.chunks.write(command("FCUnpublish", 6.0, None, KEY), 3))
        await encoder.until_code("NetStream.Unpublish.Success")
        encoder.writer.write(encoder.chunks.write(command("publish", 7.0, None, KEY, "live", stream=1), 3))
        await encoder.until_code("NetStream.Publish.Start", times=3)  # the first time onFCPublish had it too
        assert [len(recording.ends) for recording in served.recorder.recordings] == [1, 0]
        encoder.close()


async def test_nothing_is_read_while_the_taker_has_no_room() -> None:
    async with serving() as served:
        served.recorder.room = False
        encoder = await RawEncoder.connect(served.port)
        await encoder.publish()
        await encoder.until_code("NetStream.Publish.Start")
        picture = AVC_CONFIG[:2] + bytes(50_000)
        picture = b"\x27\x01" + picture
        sent = b"".join(encoder.chunks.write(Message(VIDEO, 1, at * 40, picture), 6) for at in range(400))
        encoder.writer.write(sent)
        recording = await served.recorder.first()
        while not recording.drains:
            recording.changed.clear()
            await recording.changed.wait()
        held = len(recording.data)
        assert held < WRITTEN_UNCHECKED + 1_000_000
        recording.room.set()
        await recording.until_bytes(400 * 50_000)
        assert recording.drains > 10
        encoder.close()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http"),
        (b"\x47\x40\x00\x10" + bytes(184), "mpegts"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300), "tls"),
        (b"\x06" + bytes(1536), "rtmpe"),
        (b"SSH-2.0-x\r\n", "not_rtmp"),
    ],
)
async def test_what_is_not_rtmp_is_disconnected_logged_and_counted(sent: bytes, reason: str) -> None:
    async with serving() as served:
        before = closed(reason)
        with capture_logs() as logs:
            stranger = await RawEncoder.connect(served.port)
            stranger.writer.write(sent)
            assert await stranger.until_end() == b""
        assert closed(reason) == before + 1
        assert [line["reason"] for line in logs] == [reason]


async def test_strangers_do_not_fill_the_log() -> None:
    async with serving(RtmpSettings(rtmp_max_connects_per_second=1_000)) as served:
        with capture_logs() as logs:
            for _ in range(50):
                stranger = await RawEncoder.connect(served.port)
                stranger.writer.write(b"GET / HTTP/1.1\r\n\r\n")
                await stranger.until_end()
        assert len(logs) <= 3


async def test_a_silent_socket_ends() -> None:
    async with serving(QUICK) as served:
        before = closed("handshake")
        stranger = await RawEncoder.connect(served.port)
        assert await stranger.until_end() == b""
        assert closed("handshake") == before + 1


@pytest.mark.parametrize(("beginning", "reason"), [(b"", "handshake"), (HANDSHAKE, "publish")])
async def test_a_client_that_sends_byte_by_byte_ends(beginning: bytes, reason: str) -> None:
    async with serving(QUICK) as served:
        before = closed(reason)
        stranger = await RawEncoder.connect(served.port)
        stranger.writer.write(beginning)

        async def drip() -> None:
            chunk = stranger.chunks.write(command("connect", 1.0, {"app": "x" * 500}), 3)
            for byte in b"\x03" + bytes(1536) if not beginning else chunk * 9:
                stranger.writer.write(bytes((byte,)))
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        await stranger.until_end()
        dripping.cancel()
        assert closed(reason) == before + 1


async def test_a_publisher_that_sends_no_media_ends_whatever_else_it_sends() -> None:
    async with serving(QUICK) as served:
        encoder = await RawEncoder.connect(served.port)
        await encoder.publish()
        await encoder.until_code("NetStream.Publish.Start")

        async def ping() -> None:
            while True:
                encoder.writer.write(encoder.chunks.write(command("_checkbw", 9.0, None), 3))
                await asyncio.sleep(0.05)

        pinging = asyncio.create_task(ping())
        await encoder.until_end()
        pinging.cancel()
        assert "no audio and no video" in await (await served.recorder.first()).until_end()


async def test_a_publisher_with_sound_alone_goes_on() -> None:
    async with serving(QUICK) as served:
        encoder = await RawEncoder.connect(served.port)
        await encoder.publish()
        await encoder.until_code("NetStream.Publish.Start")
        recording = await served.recorder.first()
        for at in range(30):
            encoder.writer.write(encoder.chunks.write(Message(AUDIO, 1, at * 100, b"\xaf\x01abc"), 4))
            await recording.until_bytes(13 + (at + 1) * 20)
            await asyncio.sleep(0.1)
        assert not recording.ends
        encoder.close()


async def test_half_open_connections_do_not_stop_an_encoder() -> None:
    settings = RtmpSettings(rtmp_max_half_open=100, rtmp_max_connects_per_second=5_000)
    async with serving(settings) as served:
        silent: list[socket.socket] = []
        for at in range(1_000):
            made = socket.socket()
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", served.port))
            if at % 2:
                await asyncio.get_running_loop().sock_sendall(made, b"\x03" + bytes(100))
            silent.append(made)
        encoder = await RawEncoder.connect(served.port)
        await encoder.publish()
        await encoder.until_code("NetStream.Publish.Start")
        for made in silent:
            made.close()
        encoder.close()


async def test_a_crowd_at_one_address_makes_room_for_others_by_itself() -> None:
    settings = RtmpSettings(rtmp_max_half_open=10, rtmp_max_connects_per_second=5_000)
    async with serving(settings) as served:
        other = await RawEncoder.connect(served.port, "127.0.0.2")
        crowd = [await RawEncoder.connect(served.port) for _ in range(40)]
        await crowd[0].until_end()
        await other.publish()
        await other.until_code("NetStream.Publish.Start")
        for each in (other, *crowd):
            each.close()


async def test_publishers_are_not_half_open_and_are_not_ended_for_others() -> None:
    settings = RtmpSettings(rtmp_max_half_open=1, rtmp_max_connects_per_second=5_000)
    async with serving(settings) as served:
        encoders: list[RawEncoder] = []
        for _ in range(5):
            encoder = await RawEncoder.connect(served.port)
            await encoder.publish()
            await encoder.until_code("NetStream.Publish.Start")
            encoders.append(encoder)
        assert not any(recording.ends for recording in served.recorder.recordings)
        for encoder in encoders:
            encoder.close()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (RtmpSettings(rtmp_max_connects_per_second=3), "rate"),
        (RtmpSettings(rtmp_max_connections=3), "connections"),
    ],
)
async def test_connections_beyond_a_limit_are_not_taken(settings: RtmpSettings, reason: str) -> None:
    async with serving(settings) as served:
        before = closed(reason)
        encoders = [await RawEncoder.connect(served.port) for _ in range(12)]
        for encoder in encoders:
            encoder.writer.write(HANDSHAKE)
        ended = [asyncio.create_task(encoder.until_end()) for encoder in encoders]
        await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        assert closed(reason) > before
        for encoder in encoders:
            encoder.close()
        await asyncio.wait(ended)


async def test_a_client_that_reads_nothing_is_not_answered_without_end() -> None:
    async with serving() as served:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", served.port))
        encoder = RawEncoder.__new__(RawEncoder)
        from tests.support.rtmp_encoder import ChunkEncoder

        encoder.chunks = ChunkEncoder()
        call = encoder.chunks.write(command("connect", 1.0, {"app": "live"}), 3)
        call += encoder.chunks.write(command("getStreamLength", 2.0, None), 3) * 1_000
        sent = 0
        try:
            async with asyncio.timeout(5):
                await loop.sock_sendall(client, HANDSHAKE)
                while sent < 64_000_000:
                    await loop.sock_sendall(client, call)
                    sent += len(call)
        except TimeoutError:
            pass
        assert sent < 64_000_000, "the server goes on to read, and keeps what it cannot send"
        assert UNSENT < 1 << 20
        client.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


def certificate_files(authority: Authority, folder: Path) -> tuple[Path, Path]:
    """A certificate for `localhost` and its key."""
    before = set(authority.folder.glob("*.pem"))
    authority.serving("localhost")
    made = (set(authority.folder.glob("*.pem")) - before).pop().read_text()
    key, _, certificate = made.partition("-----BEGIN CERTIFICATE-----")
    (folder / "key.pem").write_text(key)
    (folder / "certificate.pem").write_text("-----BEGIN CERTIFICATE-----" + certificate)
    return folder / "certificate.pem", folder / "key.pem"


async def tls_publish(port: int, trusting: ssl.SSLContext) -> RawEncoder:
    encoder = RawEncoder(*await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="localhost"))
    await encoder.publish()
    await encoder.until_code("NetStream.Publish.Start")
    return encoder


async def test_rtmps_on_the_same_port_and_on_one_of_its_own(authority: Authority, tmp_path: Path) -> None:
    async with serving(certificate=Certificate(*certificate_files(authority, tmp_path))) as served:
        for port in (served.port, served.tls_port):
            encoder = await tls_publish(port, authority.trusting())
            encoder.close()
        plain = await RawEncoder.connect(served.port)
        await plain.publish()
        await plain.until_code("NetStream.Publish.Start")
        plain.close()
        assert [recording.request.tls for recording in served.recorder.recordings] == [True, True, False]
        refused = await RawEncoder.connect(served.tls_port)
        refused.writer.write(HANDSHAKE)
        assert await refused.until_end() == b""


async def test_a_renewed_certificate_is_taken_without_a_restart(authority: Authority, tmp_path: Path) -> None:
    certificate, key = certificate_files(authority, tmp_path)
    async with serving(certificate=Certificate(certificate, key)) as served:
        certificate.write_text("half of it")
        (await tls_publish(served.port, authority.trusting())).close()
        other = make_authority(tmp_path, "Another authority of tests")
        certificate_files(other, tmp_path)
        (await tls_publish(served.port, other.trusting())).close()


async def test_a_tls_client_that_stops_in_its_handshake_counts_as_half_open(
    authority: Authority, tmp_path: Path
) -> None:
    settings = RtmpSettings(rtmp_max_half_open=3, rtmp_max_connects_per_second=1_000)
    certificate = Certificate(*certificate_files(authority, tmp_path))
    async with serving(settings, certificate) as served:
        strangers = [await RawEncoder.connect(served.port) for _ in range(8)]
        for stranger in strangers:
            stranger.writer.write(b"\x16\x03\x01\x02\x00")
            await stranger.writer.drain()
        await asyncio.gather(*(stranger.until_end() for stranger in strangers[:3]))
        (await tls_publish(served.port, authority.trusting())).close()
        for stranger in strangers:
            stranger.close()


async def test_stopping_ends_streams_with_a_status() -> None:
    async with serving() as served:
        encoder = await RawEncoder.connect(served.port)
        silent, greeted = [await RawEncoder.connect(served.port) for _ in range(2)]
        greeted.writer.write(HANDSHAKE)
        await greeted.reader.readexactly(3073)
        await encoder.publish()
        await encoder.until_code("NetStream.Publish.Start")
        recording = await served.recorder.first()
    assert recording.ends == ["The server is stopping."]
    assert recording.failures == ["server_stops"], "the encoder has not left"
    assert codes(await encoder.until_end())[-1] == "NetConnection.Connect.AppShutdown"
    assert await silent.until_end() == await greeted.until_end() == b""


async def test_a_limit_of_the_protocol_ends_the_stream_with_a_status_that_names_its_setting() -> None:
    async with serving(RtmpSettings(rtmp_max_message_bytes=100_000)) as served:
        encoder = await RawEncoder.connect(served.port)
        await encoder.publish()
        await encoder.until_code("NetStream.Publish.Start")
        encoder.writer.write(encoder.chunks.write(Message(VIDEO, 1, 0, bytes(200_000)), 6))
        answered = await encoder.until_end()
        assert codes(answered)[-1] == "NetStream.Publish.Failed"
        assert b"rtmp_max_message_bytes" in answered
        recording = await served.recorder.first()
        assert recording.failures == ["message_too_big"]
        assert "rtmp_max_message_bytes" in recording.ends[0]


async def test_a_silent_encoder_is_sent_the_setting_that_ends_it() -> None:
    async with serving(QUICK) as served:
        encoder = await RawEncoder.connect(served.port)
        await encoder.publish()
        answered = await encoder.until_end()
        assert codes(answered)[-1] == "NetStream.Publish.Failed"
        assert b"rtmp_silent_timeout" in answered
