"""What routes, jobs and the start call. To add a service, add an entry: how it is made, and how it is closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from stagedoor.access.admission import AdmissionControl
from stagedoor.access.issue import TokenIssuer
from stagedoor.access.links import LinkSigner
from stagedoor.access.user_enforcer import UserEnforcer
from stagedoor.access.user_joining import UserJoining
from stagedoor.events.feed import Feed
from stagedoor.events.nouns import Reaction
from stagedoor.inbox.applier import Applier
from stagedoor.inbox.receive import Receiver
from stagedoor.inbox.verify import Keyring
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock_watch import ClockWatch
from stagedoor.kernel.errors import OperatorError
from stagedoor.kernel.sealing import Sealer
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.ingress_gateway import IngressGateway
from stagedoor.outbox import delivery
from stagedoor.outbox.sender import Sender
from stagedoor.outbox.tester import WebhookTester
from stagedoor.outputs.composition.compositions import Compositions
from stagedoor.outputs.frames.viewers import FrameViewers
from stagedoor.outputs.hls.rooms import HlsRooms
from stagedoor.outputs.webrtc.join_tokens import JoinTokens
from stagedoor.outputs.webrtc.supervisor import Bridges
from stagedoor.people.limits import SignInLimits
from stagedoor.people.passwords import Passwords
from stagedoor.people.sessions import SessionAuthenticator
from stagedoor.people.sign_in import SignIn
from stagedoor.people.tokens import TokenAuthenticator
from stagedoor.rooms import presence
from stagedoor.rooms.ban_enforcer import BanEnforcer
from stagedoor.rooms.bans import Bans
from stagedoor.rooms.clock_jump import SessionClock
from stagedoor.rooms.creating import RoomCreator
from stagedoor.rooms.plans import Plans
from stagedoor.services.part import close_parts, part, parts_of
from stagedoor.settings.installation import Settings
from stagedoor.sources.cameras import registry
from stagedoor.sources.cameras.authentication import CameraAuthenticator
from stagedoor.sources.cameras.http_ingest import HttpIngest
from stagedoor.sources.cameras.key_revocation import KeyRevocation
from stagedoor.sources.cameras.live import LiveCameras
from stagedoor.sources.cameras.presence_events import PresenceEvents
from stagedoor.sources.ingress.joining import IngressTokens
from stagedoor.sources.ingress.livekit_engine import LiveKitIngresses
from stagedoor.sources.ingress.sessions import IngressSessions
from stagedoor.sources.pull import store as pull_store
from stagedoor.sources.pull.probes import Probes
from stagedoor.sources.pull.runner import PullRunner
from stagedoor.sources.rtmp.ingress import RtmpIngresses
from stagedoor.sources.whip.sessions import WhipSessions
from stagedoor.sources.whip.upstream import WhipUpstream
from stagedoor.sources.whip.watch import WhipWatcher
from stagedoor.storage import Database
from stagedoor.storage.objects import Objects, ObjectsUnavailable
from stagedoor.streams.cluster.other_nodes import OtherNodes, SingleNode
from stagedoor.streams.hub import Hub
from stagedoor.streams.media.workers import MediaWorkers
from stagedoor.streams.senders import Senders
from stagedoor.streams.usage_recorder import MediaUsageRecorder
from stagedoor.streams.watching import Watching
from stagedoor.tenancy import room_names
from stagedoor.tenancy.authentication import Authenticator
from stagedoor.tenancy.directory import Directory
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.store import app_by_slug
from stagedoor.transcripts import transcription
from stagedoor.transcripts.transcriber import Transcriber
from stagedoor.usage.running_meters import RunningMeters


@dataclass(kw_only=True, eq=False)
class Services:
    """The services of one instance. They are made on the running event loop, and closed the last written first.

    Attributes:
        public_url: Where browsers and callers reach us, without a slash at the end.
        endpoint: LiveKit, and the key for it.
        same_clock: Whether LiveKit runs by this machine's clock.
        operator_secret: What the command line sends instead of an API key.
        node: This process's name among several.
        starting: A reason not to be ready that no service knows, such as that LiveKit is still being started.
        reactions: What happens with an event, for the feed.
    """

    settings: Settings
    database: Database
    public_url: str
    endpoint: Endpoint
    same_clock: bool
    link_secret: str = field(repr=False)
    sealing_secret: str = field(repr=False)
    operator_secret: str = field(repr=False)
    node: str
    starting: Callable[[], str | None]
    reactions: Callable[[Queue], Mapping[str, Sequence[Reaction]]]

    def make(self) -> None:
        """Make them all.

        Raises:
            OperatorError: A setting is wrong in a way that only shows here.
        """
        for found in parts_of(type(self)):
            getattr(self, found.name)

    async def close(self) -> None:
        """Close them all."""
        await close_parts(self)

    def forget_tenancy(self) -> None:
        """A key, an app or an organisation has changed: look it up again."""
        self.authenticator.forget()
        self.directory.forget()
        self.forget_cameras()
        self.ingress.forget()

    def forget_cameras(self) -> None:
        """A camera, or its app, has changed: look it up again."""
        self.camera_authenticator.forget()
        self.key_revocation.ask()

    # LiveKit, and what happens in its rooms

    @part(close=LiveKitGateway.close)
    def gateway(self) -> LiveKitGateway:
        return LiveKitGateway(self.endpoint)

    @part
    def queue(self) -> Queue:
        return Queue(
            when_cancelled={delivery.KIND: delivery.cancelled, transcription.RECORD: transcription.cancelled},
            when_retried={delivery.KIND: delivery.retried},
        )

    @part
    def feed(self) -> Feed:
        most = self.settings.feed_max_clients
        return Feed(self.database, max_clients=most, reactions=self.reactions(self.queue))

    @part
    def clock(self) -> ClockWatch:
        clock = ClockWatch()
        clock.listen(SessionClock(self.database, shared=self.same_clock).jumped)
        return clock

    @part
    def ban_enforcer(self) -> BanEnforcer:
        return BanEnforcer(self.database, self.gateway, self.feed)

    @part
    def user_enforcer(self) -> UserEnforcer:
        return UserEnforcer(self.database, self.gateway, self.feed)

    @part
    def applier(self) -> Applier:
        return Applier(
            self.database, self.feed, self.queue, self.ban_enforcer, self.clock, looks=(self.user_enforcer.look,)
        )

    @part
    def receiver(self) -> Receiver:
        extra = {key: secret.get_secret_value() for key, secret in self.settings.livekit_webhook_extra_keys.items()}
        keys = {self.endpoint.api_key: self.endpoint.api_secret, **extra}
        keyring = Keyring(keys, self.settings.livekit_webhook_hmac_enabled)
        return Receiver(keyring, self.database, self.directory, self.applier.wake)

    # Who may do what

    @part
    def authenticator(self) -> Authenticator:
        return Authenticator(self.database, self.operator_secret)

    @part
    def session_authenticator(self) -> SessionAuthenticator:
        settings = self.settings
        return SessionAuthenticator(self.database, settings.sign_in_idle_timeout, settings.sign_in_max_age)

    @part
    def token_authenticator(self) -> TokenAuthenticator:
        return TokenAuthenticator(self.database)

    @part(close=Passwords.close)
    def passwords(self) -> Passwords:
        return Passwords()

    @part
    def sign_in(self) -> SignIn:
        return SignIn(self.database, self.passwords, SignInLimits(self.link_secret))

    @part
    def directory(self) -> Directory:
        return Directory(self.database)

    @part
    def bans(self) -> Bans:
        return Bans(self.database)

    @part
    def plans(self) -> Plans:
        return Plans(self.database)

    @part
    def room_creator(self) -> RoomCreator:
        return RoomCreator(self.database, self.gateway, self.plans, self.feed, self.queue)

    @part
    def issuer(self) -> TokenIssuer:
        return TokenIssuer(self.database, self.bans, self.plans, self.endpoint)

    @part
    def user_joining(self) -> UserJoining:
        return UserJoining(self.database, self.gateway, self.issuer)

    @part
    def signer(self) -> LinkSigner:
        return LinkSigner(self.link_secret)

    @part
    def admission_control(self) -> AdmissionControl:
        return AdmissionControl(self.signer, self.endpoint)

    # What goes out, and what is kept

    @part
    def sealer(self) -> Sealer:
        return Sealer(self.sealing_secret)

    @part(close=Sender.close)
    def sender(self) -> Sender:
        settings = self.settings
        return Sender(allow_private=settings.webhook_allow_private_targets, timeout_seconds=settings.webhook_timeout)

    @part
    def tester(self) -> WebhookTester:
        return WebhookTester(self.sender, self.sealer)

    @part(close=Transcriber.close)
    def transcriber(self) -> Transcriber:
        return Transcriber()

    @part
    def objects(self) -> Objects:
        try:
            return Objects(self.settings.objects_url, self.settings.data_dir / "objects")
        except ObjectsUnavailable as error:
            raise OperatorError(f"The object storage cannot be used: {error} See STAGEDOOR_OBJECTS_URL.") from None

    # Media

    @part
    def running_meters(self) -> RunningMeters:
        return RunningMeters()

    @part(close=MediaUsageRecorder.close)  # when no camera sends any more
    def media_usage(self) -> MediaUsageRecorder:
        return MediaUsageRecorder(self.database, self.node, self.running_meters)

    @part
    def hub(self) -> Hub:
        return Hub()

    @part
    def senders(self) -> Senders:
        return Senders(self.hub, self.running_meters)

    @part
    def cameras(self) -> LiveCameras:
        return LiveCameras(self.senders)

    @part
    def camera_authenticator(self) -> CameraAuthenticator:
        return CameraAuthenticator(self.database)

    @part
    def key_revocation(self) -> KeyRevocation:
        return KeyRevocation(self.database, self.cameras)

    @part(close=PresenceEvents.close)
    def presence_events(self) -> PresenceEvents:
        return PresenceEvents(self.database, self.feed)

    @part(close=HttpIngest.close)
    def http_ingest(self) -> HttpIngest:
        return HttpIngest(self.cameras, self.presence_events)

    @part(close=IngressSessions.close)
    def ingress(self) -> IngressSessions:
        tokens = IngressTokens(self.gateway, self.issuer)
        return IngressSessions(self.database, self.feed, self.gateway, tokens, self.node)

    @part
    def livekit_ingresses(self) -> LiveKitIngresses:
        return LiveKitIngresses(self.database, IngressGateway(self.gateway), self.sealer)

    @part
    def other_nodes(self) -> OtherNodes:
        if self.settings.redis_url is None:
            return SingleNode()
        # Redis's client takes a tenth of a second to import, which one machine alone need not wait for.
        from stagedoor.streams.cluster.relay import Relay

        try:
            return Relay(self.settings.redis_url.get_secret_value(), self.node, self.hub, self.senders)
        except ValueError as error:
            raise OperatorError(f"STAGEDOOR_REDIS_URL cannot be used: {error}") from None

    @part
    def frame_viewers(self) -> FrameViewers:
        async def registered(app_id: str, room: str) -> bool:
            return await registry.is_registered(self.database, app_id, room) or bool(
                await pull_store.starts_of(self.database, app_id, room)
            )

        async def on_demand(app_id: str, room: str) -> bool:
            return "demand" in await pull_store.starts_of(self.database, app_id, room)

        return FrameViewers(self.hub, self.senders, self.other_nodes, self.running_meters, registered, on_demand)

    @part(close=MediaWorkers.close)
    def media_workers(self) -> MediaWorkers:
        return MediaWorkers(self.settings)

    @part
    def compositions(self) -> Compositions:
        return Compositions(self.database, self.gateway, self.media_workers, self.node)

    @part
    def rtmp_ingresses(self) -> RtmpIngresses:
        return RtmpIngresses(self.ingress, self.media_workers)

    @part
    def hls(self) -> HlsRooms:
        async def is_pulled(app_id: str, room: str) -> bool:
            return await pull_store.is_pulled(self.database, app_id, room)

        async def app_of(room: str) -> App | None:
            found = room_names.split(room)
            return None if found is None else await self.database.read(lambda tx: app_by_slug(tx, found[0]))

        async def publishers(room: str) -> set[str]:
            return await self.database.read(lambda tx: presence.publishers(tx, room))

        return HlsRooms(
            self.media_workers,
            self.running_meters,
            self.settings.hls_max_bytes,
            is_pulled,
            app_of,
            self.compositions,
            publishers,
        )

    @part
    def watching(self) -> Watching:
        def by_frames(room: str) -> bool:
            return self.frame_viewers.viewers(room) > 0 or self.other_nodes.watch_this_one(room)

        made = Watching()
        made.add("pictures", by_frames)
        made.add("media", self.hls.is_watched)
        return made

    @part
    def pulls(self) -> PullRunner:
        return PullRunner(
            self.database,
            self.sealer,
            self.ingress,
            self.media_workers,
            self.senders,
            self.settings,
            self.watching,
        )

    @part
    def probes(self) -> Probes:
        return Probes(self.media_workers, self.settings)

    @part(close=WhipUpstream.close)
    def whip_upstream(self) -> WhipUpstream:
        return WhipUpstream(self.endpoint)

    @part
    def whip(self) -> WhipSessions:
        watcher = WhipWatcher(self.database, self.gateway, self.ingress.tokens, self.whip_upstream)
        return WhipSessions(self.database, self.feed, self.ingress, self.whip_upstream, watcher)

    @part
    def bridges(self) -> Bridges:
        return Bridges(self.database, self.feed, self.senders, JoinTokens(self.database, self.gateway, self.issuer))
