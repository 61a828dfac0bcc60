"""Streams across nodes, over Redis: which node a camera sends to, and its frames for nodes that have viewers."""
