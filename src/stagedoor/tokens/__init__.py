"""Join tokens: what a person may do in a room, as pure policy, and the JWT that tells LiveKit."""
