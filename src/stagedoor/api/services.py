"""What the edge calls: the parts that routes are given, made and owned by `stagedoor.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from stagedoor.access.admission import AdmissionControl
from stagedoor.access.issue import TokenIssuer
from stagedoor.access.links import LinkSigner
from stagedoor.events.feed import Feed
from stagedoor.inbox.applier import Applier
from stagedoor.inbox.receive import Receiver
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock_watch import ClockWatch
from stagedoor.kernel.sealing import Sealer
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.outbox.sender import Sender
from stagedoor.outbox.tester import WebhookTester
from stagedoor.outputs.frames.viewers import FrameViewers
from stagedoor.outputs.webrtc.supervisor import Bridges
from stagedoor.rooms.bans import Bans
from stagedoor.rooms.creating import RoomCreator
from stagedoor.rooms.plans import Plans
from stagedoor.settings.installation import Settings
from stagedoor.sources.cameras.authentication import CameraAuthenticator
from stagedoor.sources.cameras.http_ingest import HttpIngest
from stagedoor.sources.cameras.key_revocation import KeyRevocation
from stagedoor.sources.cameras.live import LiveCameras
from stagedoor.sources.cameras.presence_events import PresenceEvents
from stagedoor.storage import Database
from stagedoor.storage.objects import Objects
from stagedoor.streams.cluster.other_nodes import OtherNodes
from stagedoor.streams.senders import Senders
from stagedoor.streams.usage_recorder import MediaUsageRecorder
from stagedoor.tenancy.authentication import Authenticator
from stagedoor.tenancy.directory import Directory
from stagedoor.transcripts.transcriber import Transcriber


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
    room_creator: RoomCreator
    issuer: TokenIssuer
    gateway: LiveKitGateway
    receiver: Receiver
    applier: Applier
    clock: ClockWatch
    signer: LinkSigner
    admission_control: AdmissionControl
    sealer: Sealer
    sender: Sender
    tester: WebhookTester
    transcriber: Transcriber
    objects: Objects
    camera_authenticator: CameraAuthenticator
    senders: Senders
    cameras: LiveCameras
    other_nodes: OtherNodes
    presence_events: PresenceEvents
    http_ingest: HttpIngest
    key_revocation: KeyRevocation
    frame_viewers: FrameViewers
    media_usage: MediaUsageRecorder
    bridges: Bridges
    starting: Callable[[], str | None]

    def forget_tenancy(self) -> None:
        """A key, an app or an organisation has changed: look it up again."""
        self.authenticator.forget()
        self.directory.forget()
        self.forget_cameras()

    def forget_cameras(self) -> None:
        """A camera, or its app, has changed: look it up again."""
        self.camera_authenticator.forget()
        self.key_revocation.ask()


def services_of(connection: HTTPConnection) -> Services:
    """The services of the running application."""
    state: Any = connection.app.state
    found: Services = state.services
    return found


ServicesDep = Annotated[Services, Depends(services_of)]
