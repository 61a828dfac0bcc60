"""What must be true of usage, whatever happened to the webhooks."""

from __future__ import annotations

from sqlalchemy import select

from stagedoor.rooms import session_usage
from stagedoor.storage import Transaction
from stagedoor.usage import store as usage
from stagedoor.usage.meters import METERS, Amounts, total
from tests.support.rooms_harness import Snapshot, World


async def bills_are_right(world: World, found: Snapshot) -> None:
    """What was reported last of each session is what its record adds up to, and an app's hours are its sessions'."""
    await world.settle()

    def look(tx: Transaction) -> tuple[dict[str, usage.ReportedUsage], dict[str, Amounts], Amounts]:
        told = {session.id: usage.reported_usage(tx, session.id) for session in found.sessions.values()}
        hours = {
            session.id: sum(usage.hours_of_session(tx, session.id).values(), Amounts())
            for session in found.sessions.values()
        }
        rows = tx.execute(select(*(usage.app_hours.c[meter] for meter in METERS)))
        return {key: one for key, one in told.items() if one}, hours, sum((Amounts(*row) for row in rows), Amounts())

    told, hours, of_apps = await world.database.read(look)
    for session in found.sessions.values():
        people = found.people_of(session)
        sids = {person.sid for person in people}
        tracks = [track for track in found.tracks.values() if track.participant_sid in sids]
        if session.state != "ended":
            continue
        true = total(session_usage.spans(people, tracks, [], session.ended_at or 0))
        said = told[session.id]
        assert (said.amounts, said.disposition, said.duration_ms) == (true, session.disposition, session.duration_ms)
        assert hours[session.id] == true
    assert of_apps == sum(hours.values(), Amounts())
