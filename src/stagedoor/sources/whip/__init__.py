"""WHIP (RFC 9725): encoders and browsers that publish by WebRTC, with a stream key instead of a join token.

LiveKit's own WHIP endpoint does the signalling; this folder checks the key and the offer, makes the join token, and
answers as the RFC says where LiveKit does not. Begin with `sessions.py`.
"""
