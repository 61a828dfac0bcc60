"""What sessions used, by the hour: the basis of a bill."""
