"""LiveKit, seen from Stagedoor: getting it, running it, and the one way to talk to it."""
