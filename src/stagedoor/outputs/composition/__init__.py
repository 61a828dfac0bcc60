"""Rooms composed into one picture and one sound, once for all that use them: on one node of an installation."""
