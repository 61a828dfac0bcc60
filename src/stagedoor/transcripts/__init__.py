"""What was said and written in a session: heard in its room, stored as it comes, archived at its end."""
