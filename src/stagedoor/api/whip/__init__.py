"""WHIP over HTTP (RFC 9725): the endpoint that takes offers, and the sessions that it makes."""
