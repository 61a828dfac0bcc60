"""Streams of other nodes, over Redis: who sends to which node, and frames where somebody watches."""
