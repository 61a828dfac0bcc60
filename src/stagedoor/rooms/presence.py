"""What other folders may read of rooms and sessions; the tables are this folder's own."""

from stagedoor.rooms.participants_store import (
    count_open_tracks,
    present,
    present_sids,
    publishers,
    reasons_of_leaving,
)
from stagedoor.rooms.plans_store import plan_of
from stagedoor.rooms.store import count_open_sessions, lock_rooms, open_sessions_of_rooms
from stagedoor.rooms.store import session_anywhere as session_by_id

__all__ = [
    "count_open_sessions",
    "count_open_tracks",
    "lock_rooms",
    "open_sessions_of_rooms",
    "plan_of",
    "present",
    "present_sids",
    "publishers",
    "reasons_of_leaving",
    "session_by_id",
]
