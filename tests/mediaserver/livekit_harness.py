"""What the tests of the managed LiveKit share."""

from __future__ import annotations

from collections.abc import Callable

from livekit import api

from stagedoor.mediaserver.config import ManagedConfig
from stagedoor.mediaserver.supervisor import ManagedLiveKit

MakeManaged = Callable[..., ManagedLiveKit]


class Heard:
    """What a supervisor reported to its owner."""

    def __init__(self) -> None:
        self.lost: list[int] = []
        self.ready: list[tuple[int, bool]] = []


def join_token(config: ManagedConfig, room: str, identity: str) -> str:
    grants = api.VideoGrants(room_join=True, room=room)
    token = api.AccessToken(config.api_key, config.api_secret)
    return token.with_identity(identity).with_grants(grants).to_jwt()
