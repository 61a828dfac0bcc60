"""Cameras as participants: their JPEG frames become a LiveKit video track, made by a process for each camera."""
