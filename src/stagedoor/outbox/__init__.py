"""Outgoing webhooks: who wants which events, and their delivery, signed, at least once, for days if it must be."""
