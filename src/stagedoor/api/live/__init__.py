"""Live frames on the wire, in plain ASGI: cameras come in; MJPEG, WebSocket and snapshots go out."""
