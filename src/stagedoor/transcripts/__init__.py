"""Transcripts: the speech and the chat of a session as text, stored as it comes and archived at its end."""
