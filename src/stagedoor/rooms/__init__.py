"""Rooms, their sessions, participants and tracks: the state that LiveKit's events and lists lead to."""
