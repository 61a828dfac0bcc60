"""Stagedoor: the control plane for a self-hosted LiveKit server."""

from importlib.metadata import version

__version__ = version("stagedoor")
