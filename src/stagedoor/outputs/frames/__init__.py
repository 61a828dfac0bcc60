"""A room's JPEG frames for viewers: one at a time, several sizes, counted."""
