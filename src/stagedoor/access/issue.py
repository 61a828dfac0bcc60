"""The way to every join token: what the app permits, who is banned, what was announced of the room, and the JWT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from stagedoor.access.grants import Grant, JoinRequest, decide, under_plan
from stagedoor.access.metrics import TOKENS
from stagedoor.access.mint import mint, warning_of
from stagedoor.kernel.clock import now_ms
from stagedoor.kernel.errors import Conflict
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.rooms.bans import Bans
from stagedoor.rooms.nouns import Plan
from stagedoor.rooms.plans import Plans
from stagedoor.rooms.rooms import name_of
from stagedoor.storage import Database
from stagedoor.tenancy.nouns import App

Requester = Literal["api", "session", "page", "user", "camera", "ingress"]
"""On whose behalf a token is issued, as the metric counts them."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A join token.

    Attributes:
        jwt: The token itself.
        grant: What it says.
        expires_at: When it ends, in milliseconds since the epoch.
        warning: What may keep a client from using it; `None` when nothing is known to.
    """

    jwt: str
    grant: Grant
    expires_at: int
    warning: str | None


class TokenIssuer:
    """Issues join tokens. Nothing else does: a rule for tokens is kept here, and holds on every way to one.

    Args:
        database: To find rooms in.
        bans: Who may not join.
        plans: How rooms of announced sessions are made.
        endpoint: The LiveKit that the tokens are for, and the key that signs them.
    """

    def __init__(self, database: Database, bans: Bans, plans: Plans, endpoint: Endpoint) -> None:
        self._database = database
        self._bans = bans
        self._plans = plans
        self.endpoint = endpoint

    async def issue(
        self, app: App, request: JoinRequest, requester: Requester, *, ends_by: int | None = None
    ) -> IssuedToken:
        """A token for the request.

        Args:
            app: Whose room it is.
            request: What was asked for.
            requester: On whose behalf.
            ends_by: When the key or link ends that it is issued for, in milliseconds since the epoch: the token ends
                then at the latest.

        Raises:
            Invalid: The request contradicts itself, or goes beyond what the app or LiveKit allows.
            Conflict: The identity is banned from the room, or the session that the room was for is over.
        """
        grant = await self._permitted(app, request, ends_by)
        plan = await self._plans.of(grant.livekit_room)
        if plan is not None:
            grant = under_plan(grant, plan)
        token = mint(self.endpoint, grant)
        TOKENS.labels(requester).inc()
        return IssuedToken(token, grant, now_ms() + grant.ttl * 1000, warning_of(token))

    async def check(self, app: App, requests: Iterable[JoinRequest], plan: Plan) -> None:
        """Raise what `issue` would raise for the requests once a session with such a plan is announced."""
        for request in requests:
            mint(self.endpoint, under_plan(await self._permitted(app, request), plan))

    async def is_banned(self, livekit_room: str, identity: str) -> bool:
        """Whether the identity gets no token for the room, and the holder of one that was issued is not admitted."""
        try:
            await self._bans.refuse_banned(livekit_room, identity)
        except Conflict:
            return True
        return False

    async def _permitted(self, app: App, request: JoinRequest, ends_by: int | None = None) -> Grant:
        grant = decide(app, request, await name_of(self._database, app, request.room), ends_by=ends_by)
        await self._bans.refuse_banned(grant.livekit_room, grant.identity)
        return grant
