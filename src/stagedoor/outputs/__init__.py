"""Ways out for media: a protocol has one folder, all of one shape."""
