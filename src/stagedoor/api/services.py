"""What the edge calls: the parts that routes are given, made and owned by `stagedoor.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from stagedoor.bridges.keeper import Bridges
from stagedoor.cameras.elsewhere import Elsewhere
from stagedoor.cameras.gate import Gate
from stagedoor.cameras.keeping import Keeping
from stagedoor.cameras.live import LiveCameras
from stagedoor.cameras.posting import Posting
from stagedoor.cameras.telling import Telling
from stagedoor.events.feed import Feed
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.sealing import Sealer
from stagedoor.kernel.settings import Settings
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.outbox.sender import Sender
from stagedoor.playback.admission import Doorkeeper
from stagedoor.playback.links import LinkSigner
from stagedoor.playback.watching import Watching
from stagedoor.rooms.adding import Adding
from stagedoor.rooms.bans import Bans
from stagedoor.rooms.plans import Plans
from stagedoor.storage import Database
from stagedoor.storage.objects import Objects
from stagedoor.tenancy.authentication import Authenticator
from stagedoor.tenancy.directory import Directory
from stagedoor.tokens.issue import TokenIssuer
from stagedoor.transcripts.listening import Scribe
from stagedoor.webhooks.applier import Applier
from stagedoor.webhooks.receive import Receiver


@dataclass(frozen=True, slots=True)
class Services:
    """The product's parts, as the edge sees them.

    Attributes:
        public_url: Where browsers and callers reach us, without a slash at the end.
        starting: A reason not to be ready that no part knows, such as that LiveKit is still being started.
    """

    settings: Settings
    public_url: str
    database: Database
    feed: Feed
    queue: Queue
    authenticator: Authenticator
    directory: Directory
    bans: Bans
    plans: Plans
    issuer: TokenIssuer
    gateway: LiveKitGateway
    receiver: Receiver
    applier: Applier
    signer: LinkSigner
    doorkeeper: Doorkeeper
    sealer: Sealer
    sender: Sender
    scribe: Scribe
    objects: Objects
    gate: Gate
    cameras: LiveCameras
    elsewhere: Elsewhere
    telling: Telling
    posting: Posting
    keeping: Keeping
    watching: Watching
    adding: Adding
    bridges: Bridges
    starting: Callable[[], str | None]

    def forget_tenancy(self) -> None:
        """A key, an app or an organisation has changed: look it up anew."""
        self.authenticator.forget()
        self.directory.forget()
        self.forget_cameras()

    def forget_cameras(self) -> None:
        """A camera, or its app, has changed: look it up anew."""
        self.gate.forget()
        self.keeping.ask()


def services(connection: HTTPConnection) -> Services:
    """The services of the running application."""
    state: Any = connection.app.state
    found: Services = state.services
    return found


Parts = Annotated[Services, Depends(services)]
