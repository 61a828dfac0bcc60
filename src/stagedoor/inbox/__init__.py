"""LiveKit's webhooks in: verify the raw bytes, store the event, answer; apply it afterwards."""
