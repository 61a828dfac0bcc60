"""What Stagedoor is measured beside: small programs that do less of the same work."""
