"""Child processes: start, watch, find again after a crash, and end them."""
