"""Which pages there are."""

from __future__ import annotations

from typing import Literal

PageKind = Literal["play", "embed", "meet", "publish", "account", "docs", "unavailable"]
"""`gone` is what an unknown, forbidden or expired address shows."""
