"""Durable work: jobs are rows, born in the transaction that needs them and ended in the one that has their effect."""
