"""Domain events: what happened, stored in the transaction that made it so, read by the live feed and by timelines."""
