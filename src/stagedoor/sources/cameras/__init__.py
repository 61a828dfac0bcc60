"""Cameras, devices with a `wsk_` key that push JPEG frames into one room: registration, authentication and intake."""
