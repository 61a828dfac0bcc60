"""Media sources: one folder per protocol, all with the same structure."""
