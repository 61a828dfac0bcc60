"""The life of publications, and that the database shows it on every node, on both engines."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Problem, StorageUnavailable
from stagedoor.mediaserver.snapshots import SOURCE_ATTRIBUTE, ParticipantSnapshot, Permissions
from stagedoor.rooms import participants_store
from stagedoor.rooms import store as rooms
from stagedoor.rooms.nouns import Participant, RoomLimits, Session
from stagedoor.rooms.plans import Wanted
from stagedoor.sources.ingress import store
from stagedoor.sources.ingress.closing import DELETED, DISABLED, LEFT, REPLACED, ROTATED, conclude
from stagedoor.sources.ingress.nouns import Ingress
from stagedoor.sources.ingress.state import Audio, Failure, Video
from stagedoor.storage import Database, Transaction, open_database
from stagedoor.tenancy import apps
from tests.sources.ingress.nodes import Node, Owners, node
from tests.support.product import eventually

VIDEO = Video("h264", "High", 1280, 720, 25.0, 2_000_000)
AUDIO = Audio("aac", 48_000, 2, 128_000)


async def code_of(coroutine: Any) -> str:
    with pytest.raises(Problem) as refused:
        await coroutine
    return refused.value.code


async def in_room(one: Node, ingress: Ingress, sid: str, identity: str) -> None:
    """A participant in the ingress's room, as LiveKit's webhooks have it."""

    def come(tx: Transaction) -> None:
        session = rooms.open_session_of_room(tx, ingress.livekit_room)
        now = now_ms()
        if session is None:
            session = Session(
                "ses_1", ingress.app_id, "stage", ingress.livekit_room, "RM_1", "active", now, "livekit", now, now
            )
            rooms.insert_session(tx, session)
        person = Participant(session.id, sid, identity, "", "ingress", "active", now, now, "livekit")
        participants_store.insert_participants(tx, [person])

    await one.database.write(come)
    one.feed.wake(ingress.app_id)


async def leaves(one: Node, ingress: Ingress, sid: str, reason: str) -> None:
    def go(tx: Transaction) -> None:
        person = participants_store.participant_by_sid(tx, "ses_1", sid)
        assert person is not None
        gone = replace(person, state="left", left_at=now_ms(), left_at_source="livekit", reason=reason)
        participants_store.update_participants(tx, [gone])

    await one.database.write(go)
    one.feed.wake(ingress.app_id)


async def test_a_stream_from_its_beginning_to_its_end(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create(name="Main stage")
        live = await one.begin(key)
        assert (await one.state(ingress)).status == "connecting"
        one.livekit.people["live-stage", ingress.identity] = ParticipantSnapshot("PA_1", ingress.identity)
        live.published(VIDEO, AUDIO)

        async def there() -> bool:
            return (await one.state(ingress)).participant_sid == "PA_1"

        await eventually(there)
        shown = await one.becomes(ingress, "publishing")
        assert (shown.video, shown.audio, shown.restarts) == (VIDEO, AUDIO, 0)
        live.interrupted("livekit_unreachable", "LiveKit does not answer.")
        shown = await one.becomes(ingress, "reconnecting")
        assert shown.error is not None
        assert shown.error.code == "livekit_unreachable"
        live.published(VIDEO, AUDIO)
        shown = await one.becomes(ingress, "publishing")
        assert (shown.error, shown.restarts) == (None, 1)
        live.end(LEFT)
        shown = await one.becomes(ingress, "inactive")
        assert (shown.started_at, shown.participant_sid, shown.video) == (None, None, None)
        found = await one.events()
        assert [type_ for type_, _ in found] == [
            "ingress.started", "ingress.updated", "ingress.updated", "ingress.ended",
        ]  # fmt: skip
        assert found[0][1]["video"]["width"] == 1280
        assert found[0][1]["audio"]["sampleRate"] == 48_000
        assert (found[0][1]["ingressId"], found[0][1]["name"]) == (ingress.id, "Main stage")
        assert (found[3][1]["reason"], found[3][1]["restarts"]) == ("encoder_left", 1)
        assert one.sessions.find(ingress.id) is None


async def test_measurements_are_stored_every_few_seconds_and_changes_at_once(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        live = await one.begin(key)
        live.published(VIDEO, AUDIO)
        await one.becomes(ingress, "publishing")
        before = database.counters.works
        for bitrate in range(1, 501):
            live.measured(video_bitrate=bitrate, fps=24.0, last_frame_at=bitrate)
            await asyncio.sleep(0)

        async def last() -> bool:
            state = await one.state(ingress)
            return state.video is not None and state.video.bitrate == 500 and state.last_frame_at == 500

        await eventually(last)
        assert database.counters.works - before <= 5, "500 measurements are a few writes"
        assert await one.event_types() == ["ingress.started"]


async def test_a_second_encoder_takes_over(database: Database) -> None:
    async with node(database) as one:
        owners = Owners()
        ingress, key = await one.create()
        first = owners.own(await one.begin(key))
        first.published(VIDEO, AUDIO)
        await one.becomes(ingress, "publishing")
        second = owners.own(await one.begin(key))
        assert (await first.ending).code == "replaced"
        second.published(VIDEO, None)
        await one.becomes(ingress, "publishing")
        first.end(LEFT)
        await eventually(lambda: asyncio.sleep(0, one.sessions.find(ingress.id) is second))
        assert (await one.state(ingress)).status == "publishing"
        assert await one.event_types() == ["ingress.started", "ingress.ended", "ingress.started"]


async def test_a_second_encoder_is_refused_where_the_app_says_so(database: Database) -> None:
    async with node(database) as one:
        await one.app(conflict="refuse")
        ingress, key = await one.create()
        first = await one.begin(key)
        assert await code_of(one.begin(key)) == "already_publishing"
        first.published(VIDEO, AUDIO)
        assert await code_of(one.begin(key)) == "already_publishing"
        first.end(LEFT)
        await one.becomes(ingress, "inactive")
        await one.begin(key)


async def test_an_app_has_only_so_many_streams_at_a_time(database: Database) -> None:
    async with node(database) as one:
        await one.app(streams=1)
        (first, key), (_, other) = await one.create(), await one.create("hall")
        live = await one.begin(key)
        with pytest.raises(Problem) as refused:
            await one.begin(other)
        assert (refused.value.code, "ingressStreams" in refused.value.detail) == ("too_many_streams", True)
        live.end(LEFT)
        await one.becomes(first, "inactive")
        await one.begin(other)


async def test_who_may_not_publish_is_refused_and_the_ingress_says_why(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        assert await code_of(one.begin("stk_wrong")) == "bad_stream_key"
        assert await code_of(one.begin("")) == "bad_stream_key"
        assert await one.event_types() == []
        await database.write(lambda tx: one.bans.ban(tx, ingress.app_id, ingress.livekit_room, ingress.identity, 60))
        for _ in range(3):
            assert await code_of(one.begin(key)) == "identity_banned"
        shown = await one.becomes(ingress, "error")
        assert shown.error is not None
        assert shown.error.code == "identity_banned"
        assert await one.event_types() == ["ingress.failed"], "an encoder that comes back every second fails once"

        phone, phone_key = await one.create("hall")
        one.livekit.people["live-hall", phone.identity] = ParticipantSnapshot("PA_1", phone.identity)
        assert await code_of(one.begin(phone_key)) == "identity_in_use"
        own = {SOURCE_ATTRIBUTE: "rtmp"}
        one.livekit.people["live-hall", phone.identity] = ParticipantSnapshot(
            "PA_1", phone.identity, attributes=own, permissions=Permissions()
        )
        await one.begin(phone_key)


async def test_a_room_for_voice_or_whose_session_is_over_takes_no_stream(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create("talk")
        queue = Queue()
        wanted = Wanted("voice", "talk", "", (), RoomLimits(), None)
        app = await one.app()
        await database.write(lambda tx: one.plans.announce(tx, queue, app, wanted))
        assert await code_of(one.begin(key)) == "voice_only"
        assert (await one.becomes(ingress, "error")).error is not None

        session, _ = await database.write(
            lambda tx: one.plans.announce(tx, queue, app, replace(wanted, kind="video", room_name=None))
        )
        _, other = await one.create(session.livekit_room)
        over = replace(session, state="ended", ended_at=now_ms(), ended_at_source="received")
        await database.write(lambda tx: rooms.update_session(tx, over))
        assert await code_of(one.begin(other)) == "session_ended"


async def test_a_stream_ends_with_its_app(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        live = Owners().own(await one.begin(key))
        live.published(VIDEO, AUDIO)
        await one.becomes(ingress, "publishing")
        app = await one.app()
        await database.write(lambda tx: apps.delete(tx, app))
        one.sessions.forget()
        assert (await live.ending).code == "deleted"
        await eventually(lambda: asyncio.sleep(0, not one.sessions.current()))


@pytest.mark.parametrize("why", [DELETED, DISABLED, ROTATED])
async def test_a_stream_that_may_not_go_on_ends_at_once_and_once(database: Database, why: Any) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        live = Owners().own(await one.begin(key))
        live.published(VIDEO, AUDIO)
        await one.becomes(ingress, "publishing")

        def change(tx: Transaction) -> None:
            conclude(tx, one.feed, ingress, why)
            if why is DELETED:
                store.delete_ingress(tx, ingress.id)
            elif why is ROTATED:
                store.set_digest(tx, ingress.id, "0" * 64)
            else:
                store.update_ingress(tx, replace(ingress, enabled=False))

        await database.write(change)
        one.sessions.forget()
        assert (await live.ending).code == why.code
        await eventually(lambda: asyncio.sleep(0, not one.sessions.current()))
        assert (await one.state(ingress)).status == "inactive"
        found = await one.events()
        assert [type_ for type_, _ in found] == ["ingress.started", "ingress.ended"]
        assert found[1][1]["reason"] == why.code
        assert await code_of(one.begin(key)) in {"bad_stream_key", "ingress_disabled"}


@pytest.mark.parametrize(("reason", "code"), [("PARTICIPANT_REMOVED", "removed"), ("ROOM_DELETED", "room_ended")])
async def test_a_stream_whose_participant_an_operator_removed_ends(database: Database, reason: str, code: str) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        live = Owners().own(await one.begin(key))
        live.published(VIDEO, AUDIO)
        one.livekit.people["live-stage", ingress.identity] = ParticipantSnapshot("PA_1", ingress.identity)
        await in_room(one, ingress, "PA_1", ingress.identity)
        await eventually(lambda: asyncio.sleep(0, live.state.participant_sid == "PA_1"))
        await leaves(one, ingress, "PA_1", reason)
        assert (await live.ending).code == code
        await one.becomes(ingress, "inactive")


async def test_a_stream_whose_connection_to_livekit_broke_goes_on(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        live = await one.begin(key)
        live.published(VIDEO, AUDIO)
        one.livekit.people["live-stage", ingress.identity] = ParticipantSnapshot("PA_1", ingress.identity)
        await in_room(one, ingress, "PA_1", ingress.identity)
        await eventually(lambda: asyncio.sleep(0, live.state.participant_sid == "PA_1"))
        for reason in ("DUPLICATE_IDENTITY", "CONNECTION_TIMEOUT", "SERVER_SHUTDOWN"):
            await leaves(one, ingress, "PA_1", reason)
            one.livekit.people["live-stage", ingress.identity] = ParticipantSnapshot("PA_2", ingress.identity)
        live.interrupted("livekit_unreachable", "LiveKit does not answer.")
        live.published(VIDEO, AUDIO)
        await eventually(lambda: asyncio.sleep(0, live.state.participant_sid == "PA_2"))
        assert not live.ending.done()


async def test_the_state_has_the_participant_that_is_there_and_none_while_none_is(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        live = await one.begin(key)
        one.livekit.people["live-stage", ingress.identity] = ParticipantSnapshot("PA_1", ingress.identity)
        live.published(VIDEO, AUDIO)
        await in_room(one, ingress, "PA_1", ingress.identity)
        await in_room(one, ingress, "PA_viewer", "viewer")
        await eventually(lambda: asyncio.sleep(0, live.state.participant_sid == "PA_1"))
        live.interrupted("source_failed", "The camera does not answer.")
        await leaves(one, ingress, "PA_1", "CLIENT_INITIATED")

        async def gone() -> bool:
            state = await one.state(ingress)
            return (state.status, state.participant_sid) == ("reconnecting", None)

        await eventually(gone)
        one.livekit.people["live-stage", ingress.identity] = ParticipantSnapshot("PA_2", ingress.identity)
        live.published(VIDEO, AUDIO)
        await eventually(lambda: asyncio.sleep(0, live.state.participant_sid == "PA_2"))
        # One that LiveKit has put in another one's place is known from its events as well.
        await in_room(one, ingress, "PA_2", ingress.identity)
        await in_room(one, ingress, "PA_3", ingress.identity)
        await leaves(one, ingress, "PA_2", "DUPLICATE_IDENTITY")
        await eventually(lambda: asyncio.sleep(0, live.state.participant_sid == "PA_3"))
        # The departure may be known before the next one has joined.
        await leaves(one, ingress, "PA_3", "DUPLICATE_IDENTITY")
        await eventually(lambda: asyncio.sleep(0, live.state.participant_sid is None))
        await in_room(one, ingress, "PA_4", ingress.identity)
        await eventually(lambda: asyncio.sleep(0, live.state.participant_sid == "PA_4"))


async def test_a_viewer_who_joins_gets_a_key_frame(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        live = await one.begin(key)
        asked: list[int] = []
        live.on_key_frame = lambda: asked.append(1)
        live.published(VIDEO, AUDIO)
        await in_room(one, ingress, "PA_1", ingress.identity)
        await in_room(one, ingress, "PA_2", "ada")
        await eventually(lambda: asyncio.sleep(0, len(asked) == 1))
        one.feed.wake(ingress.app_id)
        await in_room(one, ingress, "PA_3", "bob")
        await eventually(lambda: asyncio.sleep(0, len(asked) == 2))


async def test_what_a_killed_node_left_open_is_closed_when_it_starts_again(database: Database) -> None:
    async with node(database, runs=False) as killed:
        ingress, key = await killed.create()
        idle, idle_key = await killed.create("hall")
        (await killed.begin(key)).published(VIDEO, AUDIO)
        await killed.begin(idle_key)
        await killed.becomes(ingress, "publishing")
        async with node(database) as again:
            await again.sessions.start()
            assert (await again.state(ingress)).status == "inactive"
            assert (await again.state(idle)).status == "inactive"
            found = await again.events()
            assert [(type_, detail.get("reason")) for type_, detail in found] == [
                ("ingress.started", None), ("ingress.ended", "node_lost"),
            ]  # fmt: skip


async def test_what_another_node_left_open_is_closed_when_its_lease_ends(database_url: str) -> None:
    first, second = await open_database(database_url), await open_database(database_url)
    async with node(second, "two") as two, node(first, "one", runs=False) as one:
        ingress, key = await one.create()
        (await one.begin(key)).published(VIDEO, AUDIO)
        await one.becomes(ingress, "publishing")
        stored = await first.read(lambda tx: store.stored_of(tx, ingress.id))
        assert stored is not None
        await first.write(lambda tx: store.renew_leases(tx, [stored.publication or ""], now_ms() - 1))
        await two.becomes(ingress, "inactive")
        assert await two.event_types() == ["ingress.started", "ingress.ended"]
        # It was not gone, only cut off: its next renewal says so.
        await one.sessions._renew(list(one.sessions.current()))  # pyright: ignore[reportPrivateUsage]
        await two.becomes(ingress, "publishing")
        assert await two.event_types() == ["ingress.started", "ingress.ended", "ingress.started"]
    await first.close()
    await second.close()


async def test_an_encoder_that_comes_to_another_node_takes_over(database_url: str) -> None:
    first, second = await open_database(database_url), await open_database(database_url)
    async with node(first, "one") as one, node(second, "two") as two:
        ingress, key = await one.create()
        live = Owners().own(await one.begin(key))
        live.published(VIDEO, AUDIO)
        await one.becomes(ingress, "publishing")
        other = await two.begin(key)
        assert (await live.ending).code == "replaced"
        other.published(VIDEO, None)
        await one.becomes(ingress, "publishing")
        await eventually(lambda: asyncio.sleep(0, not one.sessions.current()))
        assert (await one.state(ingress)).audio is None
        assert await two.event_types() == ["ingress.started", "ingress.ended", "ingress.started"]
    await first.close()
    await second.close()


async def test_a_change_through_another_node_ends_the_stream(database_url: str) -> None:
    first, second = await open_database(database_url), await open_database(database_url)
    async with node(first, "one") as one, node(second, "two") as two:
        ingress, key = await one.create()
        live = Owners().own(await one.begin(key))
        live.published(VIDEO, AUDIO)
        await two.becomes(ingress, "publishing")

        def remove(tx: Transaction) -> None:
            conclude(tx, two.feed, ingress, DELETED)
            store.delete_ingress(tx, ingress.id)

        await second.write(remove)
        assert (await live.ending).code == "deleted"
        await eventually(lambda: asyncio.sleep(0, not one.sessions.current()))
        assert await two.event_types() == ["ingress.started", "ingress.ended"]
    await first.close()
    await second.close()


async def test_a_state_that_could_not_be_stored_is_stored_later_and_its_events_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(database, runs=False) as one:
        ingress, key = await one.create()
        live = await one.begin(key)
        away = 2
        write = database.write

        async def fails(work: Any) -> Any:
            nonlocal away
            if away:
                away -= 1
                raise StorageUnavailable("The database is away.")
            return await write(work)

        monkeypatch.setattr(one.sessions._recorder._database, "write", fails, raising=False)  # pyright: ignore[reportPrivateUsage]
        live.published(VIDEO, AUDIO)
        await one.becomes(ingress, "publishing")
        live.end(LEFT)
        await one.becomes(ingress, "inactive")
        assert await one.event_types() == ["ingress.started", "ingress.ended"]
        assert away == 0


async def test_streams_end_when_stagedoor_stops(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        live = Owners().own(await one.begin(key))
        live.published(VIDEO, AUDIO)
        await one.becomes(ingress, "publishing")
        await one.sessions.close()
        assert (await one.state(ingress)).status == "inactive"
        assert (await one.events())[-1][1]["reason"] == "server_stops"
        assert await code_of(one.begin(key)) == "unavailable"


async def test_a_participant_that_livekit_removed_for_an_encoder_at_another_node_was_replaced(
    database_url: str,
) -> None:
    """LiveKit removes the first one's participant when the second one joins with its identity."""
    first, second = await open_database(database_url), await open_database(database_url)
    async with node(first, "one", runs=False) as one, node(second, "two") as two:
        _, key = await one.create()
        live = Owners().own(await one.begin(key))
        live.published(VIDEO, AUDIO)
        await two.begin(key)
        assert live.on_removed is not None
        live.on_removed(Failure("removed_from_room", "LiveKit has removed the stream from its room."))
        assert await live.ending == REPLACED
    await first.close()
    await second.close()


async def test_a_participant_that_was_removed_without_a_known_reason_failed(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        live = Owners().own(await one.begin(key))
        live.published(VIDEO, AUDIO)
        assert live.on_removed is not None
        live.on_removed(Failure("removed_from_room", "LiveKit has removed the stream from its room."))
        state = await one.becomes(ingress, "error")
        assert state.error is not None
        assert state.error.code == "removed_from_room"


async def test_what_is_left_out_is_in_the_state_until_another_encoder_takes_over(database: Database) -> None:
    async with node(database) as one:
        ingress, key = await one.create()
        live = await one.begin(key)
        live.noticed("audio", "Sound of the kind 15 is left out.", "flv-15")
        live.published(VIDEO, None)
        live.noticed("video", "The first of several tracks is taken.", "")
        live.noticed("video", "The first of several tracks is taken.", "")
        state = await one.becomes(ingress, "publishing")
        assert state.audio == Audio("flv-15", reason="Sound of the kind 15 is left out.")
        live.has_changed(replace(VIDEO, width=640, reason="It has B-frames."), None)
        live.has_changed(live.state.video, None)

        async def both() -> bool:
            video = (await one.state(ingress)).video
            return video is not None and video.reason == "It has B-frames. The first of several tracks is taken."

        await eventually(both)
        live.forget_notices()
        live.has_changed(VIDEO, AUDIO)
        assert (live.state.video, live.state.audio) == (VIDEO, AUDIO)
        live.end()
