"""Media workers: processes that read encoded media once, and publish it in LiveKit rooms. Begin at `workers.py`.

The supervisor knows no protocol, no room and no database: it gets bytes or a URL, and a join token. The `child` package
runs in processes of its own and imports nothing of Stagedoor but `protocol.py` and `flv.py`.
"""
