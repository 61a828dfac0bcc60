"""What Prometheus counts of tokens."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from stagedoor.kernel.metrics import REGISTRY

TOKENS: Final = Counter("stagedoor_tokens_minted", "Join tokens minted, by who asked.", ("by",), registry=REGISTRY)
