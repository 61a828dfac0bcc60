"""SQLite: one file, one writer thread that commits in groups, a few reader threads."""
