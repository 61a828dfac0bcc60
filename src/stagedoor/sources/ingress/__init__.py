"""Ingresses, ways in for media that is not a LiveKit client (RTMP, WHIP, a pulled URL): registration and life."""
