"""The LiveKit server: install, configure, supervise and adopt a managed one; the gateway to its server API."""
