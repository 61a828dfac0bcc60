"""What the edge calls, made from settings, secrets and an open database, and closed again."""

from __future__ import annotations

import contextlib
import secrets as randomness
from collections.abc import AsyncGenerator, Callable
from functools import partial

from stagedoor.access.admission import AdmissionControl
from stagedoor.access.issue import TokenIssuer
from stagedoor.access.links import LinkSigner
from stagedoor.api.services import Services
from stagedoor.app.datafolder import DataFolder, Secrets
from stagedoor.app.network import Network, lay_out
from stagedoor.app.reactions import reactions
from stagedoor.events.feed import Feed
from stagedoor.inbox.applier import Applier
from stagedoor.inbox.receive import Receiver
from stagedoor.inbox.verify import Keyring
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.clock_watch import ClockWatch
from stagedoor.kernel.errors import OperatorError, StorageUnavailable
from stagedoor.kernel.sealing import Sealer
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.outbox import delivery
from stagedoor.outbox.sender import Sender
from stagedoor.outbox.tester import WebhookTester
from stagedoor.outputs.frames.viewers import FrameViewers
from stagedoor.outputs.webrtc.join_tokens import JoinTokens
from stagedoor.outputs.webrtc.supervisor import Bridges
from stagedoor.rooms.ban_enforcer import BanEnforcer
from stagedoor.rooms.bans import Bans
from stagedoor.rooms.clock_jump import SessionClock
from stagedoor.rooms.creating import RoomCreator
from stagedoor.rooms.plans import Plans
from stagedoor.settings.installation import Settings
from stagedoor.sources.cameras import registry
from stagedoor.sources.cameras.authentication import CameraAuthenticator
from stagedoor.sources.cameras.http_ingest import HttpIngest
from stagedoor.sources.cameras.key_revocation import KeyRevocation
from stagedoor.sources.cameras.live import LiveCameras
from stagedoor.sources.cameras.presence_events import PresenceEvents
from stagedoor.storage import Database, migrate, open_database
from stagedoor.storage.objects import Objects, ObjectsUnavailable
from stagedoor.streams.cluster.other_nodes import OtherNodes, SingleNode
from stagedoor.streams.hub import Hub
from stagedoor.streams.senders import Senders
from stagedoor.streams.usage_recorder import MediaUsageRecorder
from stagedoor.tenancy.authentication import Authenticator
from stagedoor.tenancy.directory import Directory
from stagedoor.transcripts import transcription
from stagedoor.transcripts.transcriber import Transcriber
from stagedoor.usage.running_meters import RunningMeters


def make_services(
    settings: Settings,
    secrets: Secrets,
    network: Network,
    database: Database,
    operator_secret: str,
    starting: Callable[[], str | None],
    node: str = "only",
) -> tuple[Services, BanEnforcer]:
    """The services, and the ban enforcer, whose worker the product runs. Called on the running event loop."""
    endpoint = network.endpoint
    gateway = LiveKitGateway(endpoint)
    queue = Queue(
        when_cancelled={delivery.KIND: delivery.cancelled, transcription.RECORD: transcription.cancelled},
        when_retried={delivery.KIND: delivery.retried},
    )
    feed = Feed(database, max_clients=settings.feed_max_clients, reactions=reactions(queue))
    ban_enforcer = BanEnforcer(database, gateway, feed)
    clock = ClockWatch()
    clock.listen(SessionClock(database, shared=network.same_machine).jumped)
    applier = Applier(database, feed, queue, ban_enforcer, clock)
    extra = {key: secret.get_secret_value() for key, secret in settings.livekit_webhook_extra_keys.items()}
    directory = Directory(database)
    keyring = Keyring({endpoint.api_key: endpoint.api_secret, **extra}, settings.livekit_webhook_hmac_enabled)
    signer = LinkSigner(secrets.link_secret)
    bans, plans = Bans(database), Plans(database)
    issuer = TokenIssuer(database, bans, plans, endpoint)
    hub, running = Hub(), RunningMeters()
    senders = Senders(hub, running)
    cameras = LiveCameras(senders)
    other_nodes = _other_nodes(settings, node, hub, senders)
    presence_events = PresenceEvents(database, feed)
    sealer = Sealer(secrets.sealing_secret)
    sender = Sender(allow_private=settings.webhook_allow_private_targets, timeout_seconds=settings.webhook_timeout)
    services = Services(
        settings=settings,
        public_url=network.public_url,
        database=database,
        feed=feed,
        queue=queue,
        authenticator=Authenticator(database, operator_secret),
        directory=directory,
        bans=bans,
        plans=plans,
        room_creator=RoomCreator(database, gateway, plans, feed, queue),
        issuer=issuer,
        gateway=gateway,
        receiver=Receiver(keyring, database, directory, applier.wake),
        applier=applier,
        clock=clock,
        signer=signer,
        admission_control=AdmissionControl(signer, endpoint),
        sealer=sealer,
        sender=sender,
        tester=WebhookTester(sender, sealer),
        transcriber=Transcriber(),
        objects=_objects(settings),
        camera_authenticator=CameraAuthenticator(database),
        senders=senders,
        cameras=cameras,
        other_nodes=other_nodes,
        presence_events=presence_events,
        http_ingest=HttpIngest(cameras, presence_events),
        key_revocation=KeyRevocation(database, cameras),
        frame_viewers=FrameViewers(hub, senders, other_nodes, running, partial(registry.is_registered, database)),
        media_usage=MediaUsageRecorder(database, node, running),
        bridges=Bridges(database, feed, senders, JoinTokens(database, gateway, issuer)),
        starting=starting,
    )
    return services, ban_enforcer


async def close_services(services: Services) -> None:
    """Close them, in reverse: what writes down what others leave, after these."""
    await services.http_ingest.close()
    await services.presence_events.close()
    await services.media_usage.close()  # when no camera sends any more
    await services.transcriber.close()
    await services.sender.close()
    await services.gateway.close()


@contextlib.asynccontextmanager
async def services_without_serving(settings: Settings, folder: DataFolder) -> AsyncGenerator[tuple[Services, str]]:
    """The services on a data folder that this process holds, with nothing running; and the operator's secret.

    Raises:
        OperatorError: The database cannot be used.
    """
    configured = settings.database_url
    url = configured.get_secret_value() if configured else folder.database
    secrets, operator = folder.secrets(), randomness.token_urlsafe(32)
    async with contextlib.AsyncExitStack() as closing:
        try:
            await migrate(url)
            database = await open_database(url)
        except StorageUnavailable as error:
            raise OperatorError(f"The database cannot be used: {error}") from None
        closing.push_async_callback(database.close)
        network = lay_out(settings, secrets)
        services, _ = make_services(settings, secrets, network, database, operator, lambda: "Stagedoor does not run.")
        closing.push_async_callback(close_services, services)
        yield services, operator


def _other_nodes(settings: Settings, node: str, hub: Hub, senders: Senders) -> OtherNodes:
    if settings.redis_url is None:
        return SingleNode()
    # Redis's client takes a tenth of a second to import, which one machine alone need not wait for.
    from stagedoor.streams.cluster.relay import Relay

    try:
        return Relay(settings.redis_url.get_secret_value(), node, hub, senders)
    except ValueError as error:
        raise OperatorError(f"STAGEDOOR_REDIS_URL cannot be used: {error}") from None


def _objects(settings: Settings) -> Objects:
    try:
        return Objects(settings.objects_url, settings.data_dir / "objects")
    except ObjectsUnavailable as error:
        raise OperatorError(f"The object storage cannot be used: {error} See STAGEDOOR_OBJECTS_URL.") from None
