"""Deployment files: templates, the values that fill them, and writing them without losing a secret."""
