"""Every event reaches every endpoint that wants it: signed, at least once, under one id, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from stagedoor.jobs.nouns import Job
from stagedoor.jobs.operator_store import list_jobs
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict, TooMany
from stagedoor.outbox import delivery_store, endpoints
from stagedoor.outbox.delivery import KIND
from stagedoor.outbox.nouns import AttemptResult
from stagedoor.outbox.sender import Sender
from stagedoor.outbox.tester import TESTS_OF_A_KEY, WebhookTester
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App, AppSettings
from stagedoor.tenancy.principals import OPERATOR, Principal
from tests.outbox.world import World, make_world
from tests.support.receiver import Taken, receiving, status


@pytest.fixture
async def world(database: Database) -> World:
    return await make_world(database)


async def test_a_message_is_what_the_specification_says(world: World) -> None:
    async with receiving() as receiver, world.working():
        endpoint, secret = await world.endpoint(receiver.url)
        await world.happen("session.started", session="ses_1")
        (delivery,) = await world.until(endpoint, "delivered")
        (taken,) = receiver.taken
        body = Webhook(secret).verify(taken.body, taken.headers)
        assert body == json.loads(taken.body)
        assert body["id"] == taken.headers["webhook-id"] == delivery.message_id
        assert body["type"] == "session.started"
        assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
        assert body["data"] == {
            "organisation": world.organisation.id,
            "app": "live",
            "room": "demo",
            "livekitRoom": "live-demo",
            "sessionId": "ses_1",
            "subject": "demo",
            "origin": "api",
            "extra": 1,
        }
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(taken.body + b" ", taken.headers)
        assert taken.headers["content-type"] == "application/json"
        assert taken.headers["user-agent"].startswith("Stagedoor/")


async def test_what_fails_is_sent_again_under_the_same_id_and_every_attempt_is_kept(world: World) -> None:
    async with receiving() as receiver, world.working():

        async def answer(_: web.Request, taken: Taken) -> web.StreamResponse:
            return web.Response(status=500 if len(receiver.taken) < 3 else 204, text="x" * 5000, headers={"X-Try": "1"})

        receiver.answer = answer
        endpoint, _ = await world.endpoint(receiver.url)
        await world.happen()
        (delivery,) = await world.until(endpoint, "delivered")
        assert receiver.ids == [delivery.message_id] * 3
        assert (delivery.attempts, delivery.last_status) == (3, 204)
        history = await world.database.read(lambda tx: delivery_store.attempts_of(tx, [delivery.id]))
        answers = [attempt.answered for attempt in history]
        assert [(answer.outcome, answer.status) for answer in answers] == [
            ("status", 500),
            ("status", 500),
            ("ok", 204),
        ]
        assert answers[0].response_body == "x" * 2048
        assert (answers[0].response_headers or {})["X-Try"] == "1"
        assert answers[0].request_headers["webhook-id"] == delivery.message_id
        assert (await world.look(endpoint)).failing_since is None


async def test_given_up_it_is_dead_and_can_be_sent_again(world: World) -> None:
    async with receiving() as receiver, world.working():
        receiver.answer = status(503)
        endpoint, _ = await world.endpoint(receiver.url)
        await world.happen()
        (delivery,) = await world.until(endpoint, "dead")
        assert delivery.attempts == 3
        after = await world.look(endpoint)
        assert after.enabled
        assert after.failing_since is not None
        receiver.answer = None
        await world.database.write(lambda tx: endpoints.redeliver(tx, world.queue, OPERATOR, endpoint.id, delivery.id))
        (again,) = await world.until(endpoint, "delivered")
        assert (again.attempts, set(receiver.ids)) == (4, {delivery.message_id})
        assert (await world.look(endpoint)).failing_since is None


async def test_given_up_its_job_can_be_done_once_more_and_nothing_is_left_of_that(world: World) -> None:
    def dead(tx: Transaction) -> list[Job]:
        return list_jobs(tx, state="dead", kind=KIND, before=None, limit=10)

    async with receiving() as receiver, world.working():
        receiver.answer = status(503)
        endpoint, _ = await world.endpoint(receiver.url)
        await world.happen()
        await world.happen()
        first, second = await world.until(endpoint, "dead", "dead")
        jobs = {job.payload["delivery"]: job.id for job in await world.database.read(dead)}
        receiver.answer = None
        await world.database.write(lambda tx: world.queue.retry(tx, jobs[first.id]))
        await world.until(endpoint, "delivered", "dead")
        await world.database.write(lambda tx: endpoints.redeliver(tx, world.queue, OPERATOR, endpoint.id, second.id))
        await world.until(endpoint, "delivered", "delivered")
        assert await world.database.read(dead) == []


async def test_an_endpoint_that_goes_on_failing_is_disabled_and_the_others_are_notified(world: World) -> None:
    async with receiving() as broken, receiving() as fine, world.working(disable_after=0):
        broken.answer = status(500)
        endpoint, _ = await world.endpoint(broken.url)
        other, _ = await world.endpoint(fine.url, types=["webhook.*"])
        await world.happen()
        await world.until(endpoint, "dead")
        (told,) = await world.until(other, "delivered")
        assert told.type == "webhook.disabled"
        assert json.loads(await world.body(told))["data"]["endpoint"] == endpoint.id
        after = await world.look(endpoint)
        assert not after.enabled
        assert after.disabled_reason
        await world.happen()
        await world.until(other, "delivered")
        with pytest.raises(Conflict):
            await world.database.write(lambda tx: endpoints.recover(tx, world.queue, OPERATOR, endpoint.id, 0))


async def test_gone_is_gone(world: World) -> None:
    async with receiving() as receiver, world.working():
        receiver.answer = status(410)
        endpoint, _ = await world.endpoint(receiver.url, types=["room.*"])
        await world.happen()
        await world.until(endpoint, "dead")
        after = await world.look(endpoint)
        assert (after.enabled, after.disabled_reason, len(receiver.taken)) == (False, "It answered 410 Gone.", 1)


async def test_an_endpoint_gets_the_types_and_apps_that_are_its(world: World) -> None:
    def more(tx: Transaction) -> tuple[App, App]:
        second = apps.create(tx, world.organisation, "second", None, AppSettings())
        stranger = make_stranger(tx)
        return second, stranger

    second, stranger = await world.database.write(more)
    async with receiving() as receiver, world.working():
        everything, _ = await world.endpoint(receiver.url + "/all", whole=True)
        sessions, _ = await world.endpoint(receiver.url + "/sessions", types=["session.*", "track.muted"])
        for app in (world.app, second, stranger):
            for type_ in ("session.started", "room.created", "track.muted", "track.published"):
                await world.happen(type_, app=app)
        await world.until(everything, *["delivered"] * 8)
        found = await world.until(sessions, *["delivered"] * 2)
        assert [delivery.type for delivery in found] == ["session.started", "track.muted"]
        assert {delivery.app_id for delivery in found} == {world.app.id}


def make_stranger(tx: Transaction) -> App:
    from stagedoor.tenancy import organisations

    return apps.create(tx, organisations.create(tx, "Other", None), "other", None, AppSettings())


async def test_ordered_a_sessions_events_wait_for_each_other_and_no_others(world: World) -> None:
    async with receiving() as receiver, world.working(delays=(0.05, 0.05, 0.05)):
        failures = {"one": 2}

        async def answer(_: web.Request, taken: Taken) -> web.StreamResponse:
            session = json.loads(taken.body)["data"]["sessionId"]
            failures[session] = failures.get(session, 0) - 1
            return web.Response(status=500 if failures[session] >= 0 else 200)

        receiver.answer = answer
        endpoint, _ = await world.endpoint(receiver.url, ordered=True)
        for type_ in ("session.started", "track.published", "session.ended"):
            await world.happen(type_, session="one")
            await world.happen(type_, session="two")
        await world.until(endpoint, *["delivered"] * 6)
        bodies = [json.loads(taken.body) for taken in receiver.taken]
        seen = {
            session: [body["type"] for body in bodies if body["data"]["sessionId"] == session]
            for session in ("one", "two")
        }
        assert seen["two"] == ["session.started", "track.published", "session.ended"]
        assert seen["one"] == ["session.started"] * 3 + ["track.published", "session.ended"]


async def test_an_endpoint_that_hangs_holds_up_no_other(world: World) -> None:
    async with receiving() as hangs, receiving() as fine, world.working():
        hold = asyncio.Event()

        async def answer(_request: web.Request, _taken: Taken) -> web.StreamResponse:
            await hold.wait()
            return web.Response()

        hangs.answer = answer
        slow, _ = await world.endpoint(hangs.url)
        quick, _ = await world.endpoint(fine.url)
        for _ in range(80):
            await world.happen()
        await world.until(quick, *["delivered"] * 80)
        assert {delivery.state for delivery in await world.deliveries(slow)} == {"pending"}
        hold.set()
        await world.until(slow, *["delivered"] * 80)


async def test_thousands_of_deliveries_to_endpoints_that_hang_hold_up_no_other_organisation(world: World) -> None:
    stranger = await world.database.write(make_stranger)
    hold = asyncio.Event()

    async def answer(_request: web.Request, _taken: Taken) -> web.StreamResponse:
        await hold.wait()
        return web.Response()

    async with receiving() as hangs, receiving() as fine:
        hangs.answer = answer
        slow = [(await world.endpoint(f"{hangs.url}/{number}"))[0] for number in range(20)]
        other, _ = await world.endpoint(fine.url, of=stranger)
        for _ in range(120):
            await world.happen()
        await world.fanout().drain()
        async with world.working(timeout_seconds=120.0):
            async with asyncio.timeout(60):
                while len(hangs.taken) < 60:  # noqa: ASYNC110 - the places that one organisation may have
                    await asyncio.sleep(0.01)
            for _ in range(20):
                await world.happen(app=stranger)
            await world.until(other, *["delivered"] * 20)
            assert len(hangs.taken) == 64
            hold.set()
            assert (await world.look(slow[0])).failing_since is None


async def test_a_secret_is_changed_with_an_overlap(world: World) -> None:
    async with receiving() as receiver, world.working():
        endpoint, old = await world.endpoint(receiver.url)

        async def rotate(overlap: int) -> str:
            _, plain = await world.database.write(
                lambda tx: endpoints.rotate(tx, world.sealer, OPERATOR, endpoint.id, overlap)
            )
            return plain

        new = await rotate(3600)
        await world.happen()
        await world.until(endpoint, "delivered")
        for secret in (old, new):
            Webhook(secret).verify(receiver.taken[0].body, receiver.taken[0].headers)
        newest = await rotate(0)
        await world.happen()
        await world.until(endpoint, "delivered", "delivered")
        Webhook(newest).verify(receiver.taken[1].body, receiver.taken[1].headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(new).verify(receiver.taken[1].body, receiver.taken[1].headers)


async def test_what_was_missed_can_be_had_again_and_nothing_comes_twice(world: World) -> None:
    async with receiving() as receiver, world.working():
        began = now_ms()
        for _ in range(3):
            await world.happen()  # before there is an endpoint
        endpoint, _ = await world.endpoint(receiver.url)
        await world.happen()
        await world.until(endpoint, "delivered")
        for _ in range(2):
            job = await world.database.write(
                lambda tx: endpoints.recover(tx, world.queue, OPERATOR, endpoint.id, began)
            )
            assert job.startswith("job_")
            await world.until(endpoint, *["delivered"] * 4)
        assert len(receiver.ids) == len(set(receiver.ids)) == 4


async def test_what_is_recovered_before_it_is_given_out_is_given_out_all_the_same(world: World) -> None:
    """The job that recovers may come to an event before the worker that gives events out has."""
    async with receiving() as receiver:
        began = now_ms()
        await world.happen()
        endpoint, _ = await world.endpoint(receiver.url)
        await world.happen()
        async with world.recovering():
            await world.finished(
                await world.database.write(lambda tx: endpoints.recover(tx, world.queue, OPERATOR, endpoint.id, began))
            )
        await world.happen()
        async with world.working():
            await world.until(endpoint, *["delivered"] * 3)
        assert len(receiver.ids) == len(set(receiver.ids)) == 3


async def test_two_nodes_give_out_each_event_once(world: World) -> None:
    async with receiving() as receiver, world.working(), world.working():
        endpoint, _ = await world.endpoint(receiver.url)
        await asyncio.gather(*(world.happen() for _ in range(60)))
        await world.until(endpoint, *["delivered"] * 60)
        assert len(set(receiver.ids)) == 60


async def test_retry_after_is_heard(world: World) -> None:
    async with receiving() as receiver, world.working(delays=(0.0,)):
        receiver.answer = status(429, Retry_After="1")
        endpoint, _ = await world.endpoint(receiver.url)
        await world.happen()
        await receiver.next()
        first = now_ms()
        receiver.answer = None
        await world.until(endpoint, "delivered")
        assert now_ms() - first >= 900


async def test_a_message_whose_job_was_cancelled_can_be_sent_again(database: Database) -> None:
    world = await make_world(database)
    async with receiving() as receiver:
        endpoint, _ = await world.endpoint(receiver.url)
        await world.happen()
        fanout = world.fanout()
        await fanout.drain()
        (delivery,) = await world.deliveries(endpoint)
        (job,) = await world.database.read(lambda tx: list_jobs(tx, state="queued", kind=KIND, before=None, limit=10))
        await world.database.write(lambda tx: world.queue.cancel(tx, job.id))
        (delivery,) = await world.until(endpoint, "dead")
        await world.database.write(lambda tx: endpoints.redeliver(tx, world.queue, OPERATOR, endpoint.id, delivery.id))
        async with world.working():
            await world.until(endpoint, "delivered")
        assert len(receiver.taken) == 1


async def test_an_answer_that_no_encoder_takes_is_a_delivery_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has been taken: to send it again because its answer cannot be stored would be the worst of all."""

    async def send(_self: Sender, url: str, message_id: str, body: bytes, signers: Sequence[str]) -> AttemptResult:
        sent.append(message_id)
        odd = "Schl\udcfcssel\x00"
        return AttemptResult("ok", now_ms(), 1, odd, {odd: odd}, 200, {odd: odd}, odd)

    sent: list[str] = []
    monkeypatch.setattr(Sender, "send", send)
    async with world.working():
        endpoint, _ = await world.endpoint("https://hooks.example.com/x")
        await world.happen()
        (delivery,) = await world.until(endpoint, "delivered")
    (attempt,) = await world.database.read(lambda tx: delivery_store.attempts_of(tx, [delivery.id]))
    assert (sent, attempt.answered.status) == ([delivery.message_id], 200)


@pytest.mark.parametrize("failure", [500, 410])
async def test_a_failure_that_no_encoder_takes_is_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: int
) -> None:
    async def send(_self: Sender, url: str, message_id: str, body: bytes, signers: Sequence[str]) -> AttemptResult:
        odd = "Schl\udcfcssel\x00"
        return AttemptResult("status", now_ms(), 1, odd, {}, failure, {odd: odd}, odd)

    monkeypatch.setattr(Sender, "send", send)
    async with world.working():
        endpoint, _ = await world.endpoint("https://hooks.example.com/x")
        await world.happen()
        (delivery,) = await world.until(endpoint, "dead")
    assert delivery.attempts == (1 if failure == 410 else 3)
    assert delivery.last_status == failure
    after = await world.look(endpoint)
    assert after.enabled == (failure != 410)
    assert after.failing_since is not None or failure == 410


async def test_who_may_not_see_an_endpoint_does_not_get_its_url(world: World) -> None:
    async with receiving() as gone, receiving() as other, world.working():
        gone.answer = status(410)
        whole, _ = await world.endpoint(gone.url + "?secret=ORGSECRET", types=["room.*"], whole=True)
        told, _ = await world.endpoint(other.url, types=["webhook.*"])
        await world.happen()
        (delivery,) = await world.until(told, "delivered")
    body = await world.body(delivery)
    data = json.loads(body)["data"]
    assert (data["endpoint"], data["host"]) == (whole.id, "127.0.0.1")
    assert b"ORGSECRET" not in body


async def test_a_key_may_have_so_many_tests_under_way(world: World) -> None:
    async with receiving() as hangs, world.working() as sender:
        hold = asyncio.Event()

        async def answer(_request: web.Request, _taken: Taken) -> web.StreamResponse:
            await hold.wait()
            return web.Response()

        hangs.answer = answer
        endpoint, _ = await world.endpoint(hangs.url)
        tester = WebhookTester(sender, world.sealer)
        one, two = (Principal(name, frozenset(), world.organisation.id) for name in ("key_1", "key_2"))
        waiting = [asyncio.create_task(tester.send(one, endpoint)) for _ in range(TESTS_OF_A_KEY)]
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await tester.send(one, endpoint)
        waiting.append(asyncio.create_task(tester.send(two, endpoint)))
        await hangs.next()
        hold.set()
        assert {answered.outcome for answered in await asyncio.gather(*waiting)} == {"ok"}
        assert (await tester.send(one, endpoint)).outcome == "ok"
