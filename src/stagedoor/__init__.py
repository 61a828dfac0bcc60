"""Stagedoor: the control plane for a self-hosted LiveKit server."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`__version__`, read from the installation on first use: it takes a tenth of what `--help` does."""
    if name == "__version__":
        from importlib.metadata import version

        return version("stagedoor")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
