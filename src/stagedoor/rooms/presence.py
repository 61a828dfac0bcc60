"""What other folders may read of rooms and sessions; the tables are this folder's own."""

from stagedoor.rooms.store import (
    count_open_sessions,
    count_open_tracks,
    lock_rooms,
    open_sessions_of_rooms,
    plan_of,
    present,
)
from stagedoor.rooms.store import session_anywhere as session_by_id

__all__ = [
    "count_open_sessions",
    "count_open_tracks",
    "lock_rooms",
    "open_sessions_of_rooms",
    "plan_of",
    "present",
    "session_by_id",
]
