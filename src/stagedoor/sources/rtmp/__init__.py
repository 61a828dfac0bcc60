"""RTMP push: an encoder's connection, from its handshake to whole FLV tags with corrected times.

The protocol is sans-io, bytes in and events out: begin with `connection.py`. `server.py` has the sockets. No database
and no stream is known here: a `PublishHandler` decides who may publish, and takes the tags.
"""
