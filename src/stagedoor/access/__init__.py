"""Ways out: one policy that says who may watch a room, the signed links that carry it, and what a page joins with."""
