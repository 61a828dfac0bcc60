"""PostgreSQL: a pool of connections for transactions and two writers for the bulk lane."""
