"""One trace from an event's arrival to what comes of it, whatever stops and starts in between."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import aiohttp
import asyncpg
import pytest
from sqlalchemy import select

from stagedoor.inbox.store import inbox
from stagedoor.jobs import operator_store
from stagedoor.jobs.nouns import Effect, Job, JobKind, NewJob
from stagedoor.jobs.queue import Queue
from stagedoor.jobs.worker import Worker
from stagedoor.kernel import tracing
from stagedoor.storage import Database, migrate, open_database
from stagedoor.storage.transaction import lock_number
from tests.support.api_webhook import Sender, room_event, signed
from tests.support.collector import Collector, Received
from tests.support.postgres import PostgresServer
from tests.support.product import Api, RunningProduct, running
from tests.support.receiver import receiving

SERVER, CONSUMER = 2, 5


def called(name: str, **attributes: str) -> Callable[[Received], bool]:
    """A condition for a span: its name and attributes, written with `_` for `.`."""
    wanted = {name.replace("_", "."): value for name, value in attributes.items()}
    return lambda span: span.name == name and wanted.items() <= span.attributes.items()


def new_traceparent() -> tuple[str, str, str]:
    """A caller's own, with its trace id and span id."""
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    return f"00-{trace}-{parent}-01", trace, parent


@pytest.mark.slow
async def test_a_webhook_and_what_is_made_of_it_are_one_trace(
    collector: Collector, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    environment = collector.environment | {"STAGEDOOR_WEBHOOK_ALLOW_PRIVATE_TARGETS": "true"}
    async with receiving() as receiver:
        with running(tmp_path, "managed", **environment) as product:
            await Api(http, product.url, product.api_key)(
                "POST", "/apps/live/webhooks", {"url": receiver.url}, expect=201
            )
            body = room_event("room_started", "live-traced")
            assert await Sender(http, product)(body) == 200
            applied, posted = await asyncio.to_thread(
                collector.wait,
                called("inbox apply", stagedoor_inbox_id=body["id"]),
                called("POST /webhooks/livekit"),
            )
            (delivered,) = await asyncio.to_thread(
                collector.wait, lambda span: span.name == "job webhook.deliver" and span.trace_id == applied.trace_id
            )
        assert (delivered.parent_id, delivered.kind) == (applied.span_id, CONSUMER)
        # LiveKit's own webhooks may come in as well, so the arrival is the one that the applying names.
        posted = next(span for span in collector.spans if span.span_id == applied.parent_id)
        assert (posted.name, posted.kind, posted.failed) == ("POST /webhooks/livekit", SERVER, False)
        assert posted.attributes["http.response.status_code"] == 200
        assert (applied.trace_id, applied.kind) == (posted.trace_id, CONSUMER)
        assert applied.attributes["stagedoor.inbox.outcome"] == "applied"
        assert {applied.service, posted.service} == {"stagedoor"}
        assert set(collector.requests) == {("/v1/traces", "application/x-protobuf")}


@pytest.mark.slow
async def test_a_callers_trace_goes_on_also_after_a_kill(
    collector: Collector, http: aiohttp.ClientSession, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """The event is acknowledged and not applied when Stagedoor dies; the next one applies it in the same trace."""
    url = postgres_server.create_database()
    product = RunningProduct(
        tmp_path, "managed", STAGEDOOR_DATABASE_URL=url, OTEL_SERVICE_NAME="mine", **collector.environment
    )
    hold: Any = await cast(Any, asyncpg).connect(url)
    try:
        product.start()
        lock = f"{lock_number('inbox')}, {lock_number('')}"
        await hold.execute(f"SELECT pg_advisory_lock({lock})")  # as a node would that is applying
        header, trace, parent = new_traceparent()
        sender = Sender(http, product)
        body = room_event("room_started", "live-killed")
        raw = json.dumps(body).encode()
        authorization = signed(sender.key, sender.secret, raw)
        assert await sender.raw(raw, Authorization=authorization, traceparent=header) == (200, None)
        (posted,) = await asyncio.to_thread(collector.wait, lambda span: span.trace_id == trace)
        product.kill()
        assert not [span for span in collector.spans if span.attributes.get("stagedoor.inbox.id") == body["id"]]
        await hold.execute(f"SELECT pg_advisory_unlock({lock})")
        product.start()
        (applied,) = await asyncio.to_thread(collector.wait, called("inbox apply", stagedoor_inbox_id=body["id"]))
    finally:
        await hold.close()
        product.close()
    assert (posted.trace_id, posted.parent_id, posted.service) == (trace, parent, "mine")
    assert (applied.trace_id, applied.parent_id, applied.service) == (trace, posted.span_id, "mine")


@pytest.mark.slow
async def test_api_calls_are_traced_and_probes_are_not(
    collector: Collector, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with running(tmp_path, "managed", **collector.environment) as product:
        key = {"Authorization": f"Bearer {product.api_key}"}
        header, trace, parent = new_traceparent()
        for path in ("/health", "/ready", "/metrics"):
            await (await http.get(product.url + path)).release()
        async with http.get(f"{product.url}/api/v1/apps/live", headers=key | {"traceparent": header}) as answer:
            assert answer.status == 200
        for nonsense in ("", "nonsense", f"00-{'0' * 32}-{parent}-01", f"ff-{trace}-{parent}-01"):
            async with http.get(f"{product.url}/api/v1/keys", headers=key | {"traceparent": nonsense}) as answer:
                assert answer.status == 200
        # The feed never ends; its span does.
        feed = await http.get(f"{product.url}/api/v1/apps/live/events", headers=key)
        (call, *_) = await asyncio.to_thread(
            collector.wait, called("GET /api/v1/apps/{app}"), called("GET /api/v1/apps/{app}/events")
        )
        feed.close()
        assert (call.trace_id, call.parent_id) == (trace, parent)
        roots = [span for span in collector.spans if span.name == "GET /api/v1/keys"]
        assert len(roots) == 4
        assert not [span for span in roots if span.parent_id or span.trace_id == trace]
        assert product.stop() == 0
    names = {span.name for span in collector.spans}
    assert not {"GET /health", "GET /ready", "GET /metrics"} & names
    assert "detach" not in product.log
    assert "opentelemetry" not in product.log.lower()


@pytest.mark.slow
@pytest.mark.parametrize("collector_is", ["away", "silent"])
async def test_a_collector_in_trouble_holds_up_nothing(
    http: aiohttp.ClientSession, tmp_path: Path, collector_is: str
) -> None:
    silent = socket.create_server(("127.0.0.1", 0))  # the kernel takes the connection, and nothing reads it
    port = silent.getsockname()[1]
    if collector_is == "away":
        silent.close()
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with running(tmp_path, "managed", **settings) as product:
        send = Sender(http, product)
        clock = asyncio.get_running_loop().time
        for _ in range(20):
            began = clock()
            assert await send(room_event("room_started", "live-untold")) == 200
            assert clock() - began < 2
        began = clock()
        assert await asyncio.to_thread(product.stop) == 0
        assert clock() - began < 3 * tracing.STOP_SECONDS
    silent.close()


async def test_jobs_go_on_with_the_trace_that_asked_for_them(traced: Collector, database_url: str) -> None:
    """Through the thread that writes, a restart, another job that the first one asks for, and a retry."""
    await migrate(database_url)
    queue = Queue()
    first = await open_database(database_url)
    with tracing.span("the cause"):
        job_id = await first.write(lambda tx: queue.put(tx, NewJob("first")))
    async with asyncio.TaskGroup() as group:  # what others do at the same time is not in that trace
        group.create_task(first.write(lambda tx: queue.put(tx, NewJob("stranger"))))
    await first.close()

    async def handler(_: Job) -> Effect:
        with tracing.span("inside"):
            pass
        return lambda tx: _ignored(queue.put(tx, NewJob("second")))

    async def fails_once(job: Job) -> None:
        if job.attempts == 1:
            raise RuntimeError("the secret of a caller")

    database = await open_database(database_url)
    kinds = [
        JobKind("first", handler),
        JobKind("second", fails_once, backoff=lambda _: 0.0),
        JobKind("stranger", fails_once, backoff=lambda _: 0.0),
    ]
    work = asyncio.create_task(Worker(database, queue, kinds).run())
    try:
        await _all_done(database, 3)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await database.close()
    done = "done"
    cause, one, inside, two, stranger = await asyncio.to_thread(
        traced.wait,
        called("the cause"),
        called("job first", stagedoor_job_id=job_id),
        called("inside"),
        called("job second", stagedoor_job_outcome=done),
        called("job stranger", stagedoor_job_outcome=done),
    )
    assert {span.trace_id for span in (one, inside, two)} == {cause.trace_id}
    assert (one.parent_id, inside.parent_id, two.parent_id) == (cause.span_id, one.span_id, one.span_id)
    assert (one.kind, one.failed) == (CONSUMER, False)
    failed = next(span for span in traced.spans if span.name == "job second" and span.failed)
    assert failed.parent_id == one.span_id
    assert failed.attributes["stagedoor.job.outcome"] == "retried"
    assert stranger.trace_id != cause.trace_id
    assert stranger.parent_id == ""
    assert "the secret of a caller" not in repr(traced.spans)


def _ignored(_: object) -> None:
    pass


async def _all_done(database: Database, count: int) -> None:
    async with asyncio.timeout(20):
        while True:
            jobs = await database.read(
                lambda tx: operator_store.list_jobs(tx, state="done", kind=None, before=None, limit=10)
            )
            if len(jobs) == count:
                return
            await asyncio.sleep(0.01)


OFF = {
    "nothing is said": {},
    "none": {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
    "disabled": {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
    "another exporter": {"OTEL_TRACES_EXPORTER": "console"},
    "another protocol": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
}


@pytest.mark.parametrize("environment", OFF.values(), ids=OFF.keys())
def test_off_costs_nothing(environment: dict[str, str]) -> None:
    """The whole product is imported, and of OpenTelemetry only the interface, which FastAPI imports."""
    program = """if True:
        import os, sys
        import stagedoor.app.startup, stagedoor.cli
        from stagedoor.kernel import tracing
        tracing.start(os.environ)
        assert not tracing.enabled()
        assert tracing.traceparent() is None
        assert tracing.span("one") is tracing.span("another", parent="any")
        work = lambda tx: None
        assert tracing.carried(work) is work
        parts = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "requests")
        assert not [name for name in sys.modules if name.startswith(parts)]
    """
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


@pytest.mark.slow
async def test_without_an_exporter_no_row_has_a_trace(
    http: aiohttp.ClientSession, managed_product: RunningProduct
) -> None:
    sender = Sender(http, managed_product)
    body = room_event("room_started", "live-untraced")
    raw = json.dumps(body).encode()
    header = new_traceparent()[0]
    assert await sender.raw(raw, Authorization=signed(sender.key, sender.secret, raw), traceparent=header) == (
        200,
        None,
    )
    database = await open_database(f"sqlite:///{managed_product.data_dir / 'stagedoor.db'}")
    try:
        row = await database.read(lambda tx: tx.execute(select(inbox.c.trace).where(inbox.c.id == body["id"])).one())
    finally:
        await database.close()
    assert row.trace is None
