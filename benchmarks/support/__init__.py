"""What the benchmarks share: cores, load, signed events, servers, and the table at the end."""
