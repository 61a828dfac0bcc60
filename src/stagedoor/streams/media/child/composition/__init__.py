"""A room composed into one stream: who is there, where their pictures go, what is heard, and the encoders."""
