"""Cameras as participants: one child process per camera publishes its JPEG frames as a LiveKit video track."""
