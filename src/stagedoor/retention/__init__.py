"""Deleting what an app keeps for no longer."""
