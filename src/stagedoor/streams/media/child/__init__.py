"""The media workers, `python -m stagedoor.streams.media.child`: a process that forks one of its own for each stream."""
