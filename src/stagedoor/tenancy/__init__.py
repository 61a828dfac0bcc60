"""Who may do what: organisations, apps, API keys, scopes, and the one function that says what a caller may see."""
