"""Making a room in LiveKit for a caller, as it was announced if it was."""

from __future__ import annotations

from stagedoor.events.feed import Feed
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.errors import Conflict
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.rooms import rooms
from stagedoor.rooms.nouns import Room, RoomLimits, Session
from stagedoor.rooms.plans import Plans
from stagedoor.storage import Database, Transaction
from stagedoor.storage.conflicts import write_retrying_conflicts
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.room_names import new_livekit_name


class RoomCreator:
    """Makes rooms.

    Args:
        database: Where they are recorded.
        gateway: Where they are made.
        plans: How rooms of announced sessions are made.
        feed: Where events go.
        queue: Where the jobs of a session that starts go.
    """

    def __init__(self, database: Database, gateway: LiveKitGateway, plans: Plans, feed: Feed, queue: Queue) -> None:
        self._database = database
        self._gateway = gateway
        self._plans = plans
        self._feed = feed
        self._queue = queue

    async def create(self, app: App, reference: str, metadata: str, limits: RoomLimits) -> tuple[Room, Session | None]:
        """Make a room. What was announced of it holds.

        Raises:
            Invalid: No new room can have this name.
            Conflict: The room is live, or the session that it was for is over.
            MediaServerFailed: LiveKit did not make it.
        """
        name = new_livekit_name(app.slug, reference)
        # LiveKit alone knows: the webhook about a room that has just been ended may still be on its way to us.
        if await self._gateway.find_room(name) is not None:
            raise Conflict("The room is live already.", code="room_live")
        plan = await self._plans.of(name)
        made = await self._gateway.create_room(
            name,
            metadata=(plan and plan.metadata) or metadata,
            empty_timeout=(plan and plan.empty_timeout) or limits.empty_timeout or 0,
            departure_timeout=(plan and plan.departure_timeout) or limits.departure_timeout or 0,
            max_participants=(plan and plan.max_participants) or limits.max_participants or 0,
            agents=plan.agents if plan else (),
        )

        def record(tx: Transaction) -> tuple[Room, Session | None]:
            # The session is first, for the room's event belongs to it.
            session = rooms.announced(tx, self._feed, self._queue, app, made)
            return rooms.created(tx, self._feed, app, name, made.metadata), session

        return await write_retrying_conflicts(self._database, record)
