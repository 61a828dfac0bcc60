"""`Idempotency-Key`: a POST that is sent again gets the first answer again and does nothing twice."""
