"""Media outputs: one folder per protocol, all with the same structure."""
