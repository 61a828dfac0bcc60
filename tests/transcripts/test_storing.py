"""What is stored of segments, on each engine."""

from __future__ import annotations

import pytest

from stagedoor.rooms import store as rooms
from stagedoor.rooms.nouns import Session
from stagedoor.storage import Database, Transaction
from stagedoor.tenancy import apps, organisations
from stagedoor.tenancy.nouns import AppSettings
from stagedoor.transcripts import store, transcription
from stagedoor.transcripts.nouns import Segment, Transcript

START = 1_700_000_000_000


@pytest.fixture
async def session(database: Database) -> str:
    def make(tx: Transaction) -> str:
        app = apps.create(tx, organisations.create(tx, "Acme", None), "live", None, AppSettings())
        rooms.insert_session(
            tx, Session("ses_1", app.id, "demo", "live-demo", "RM_1", "active", START, "livekit", START, START)
        )
        store.insert_transcript(tx, Transcript("ses_1", app.id, "recording", False, START))
        return "ses_1"

    return await database.write(make)


def segment(number: int, text: str, *, final: bool = True) -> Segment:
    return Segment("speech", "ada", f"SG_{number}", "Ada", None, None, text, final, START, START)


async def stored(database: Database, session: str, *segments: Segment) -> list[tuple[str, bool]]:
    await database.write(lambda tx: transcription.store_segments(tx, session, segments))
    found = await database.read(lambda tx: store.segments_of(tx, session))
    return [(one.text, one.final) for one in found]


async def test_a_guess_replaces_nothing_that_is_final(database: Database, session: str) -> None:
    assert await stored(database, session, segment(1, "a guess", final=False)) == [("a guess", False)]
    assert await stored(database, session, segment(1, "final")) == [("final", True)]
    assert await stored(database, session, segment(1, "a later guess", final=False)) == [("final", True)]
    assert await stored(database, session, segment(1, "better")) == [("better", True)]


async def test_a_transcript_has_so_many_segments_and_says_when_it_is_full(
    database: Database, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription, "MOST_SEGMENTS", 2)
    kept = await stored(database, session, segment(1, "one"), segment(2, "two"))
    assert await stored(database, session, segment(3, "three")) == kept
    transcript = await database.read(lambda tx: store.transcript_of(tx, session))
    assert transcript is not None
    assert transcript.truncated
