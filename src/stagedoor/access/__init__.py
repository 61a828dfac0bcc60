"""Every "may this one?" and the token or link that says so: grants, join tokens, admission of viewers, signed links."""
