"""An endpoint's secrets: sealed at rest, two at a time while one takes the other's place."""

from __future__ import annotations

from stagedoor.kernel.errors import Conflict
from stagedoor.kernel.sealing import Sealer
from stagedoor.outbox.nouns import Endpoint


def seal(sealer: Sealer, plain: str) -> bytes:
    """The stored form."""
    return sealer.seal(plain.encode())


def signers(sealer: Sealer, endpoint: Endpoint, now: int) -> list[str]:
    """The secrets that a message is signed with now, the newest first.

    Raises:
        Conflict: They were sealed by another installation's secret.
    """
    sealed = [endpoint.sealed_secret]
    if endpoint.sealed_old_secret is not None and now < (endpoint.old_secret_until or 0):
        sealed.append(endpoint.sealed_old_secret)
    opened = [sealer.open(one) for one in sealed]
    if any(one is None for one in opened):
        raise Conflict(
            "The endpoint's secret was sealed with another installation's key; rotate it.", code="secret_unreadable"
        )
    return [one.decode() for one in opened if one is not None]
