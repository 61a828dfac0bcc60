"""What Prometheus counts of sign-ins."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from stagedoor.kernel.metrics import REGISTRY

SIGN_INS: Final = Counter(
    "stagedoor_sign_ins", "Sign-ins by password: accepted, refused or limited.", ("result",), registry=REGISTRY
)
