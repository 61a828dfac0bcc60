"""Cameras: devices with a `wsk_` key that push JPEG frames into one room; who may send, and who does."""
