"""The parts that the edge calls, made from settings, secrets and an open database."""

from __future__ import annotations

from collections.abc import Callable

from livekit import api

from stagedoor.api.services import Services
from stagedoor.app.datafolder import Secrets
from stagedoor.app.network import Network
from stagedoor.bridges.keeper import Bridges
from stagedoor.bridges.tickets import Tickets
from stagedoor.cameras.elsewhere import Alone, Elsewhere
from stagedoor.cameras.gate import Gate
from stagedoor.cameras.keeping import Keeping
from stagedoor.cameras.live import LiveCameras
from stagedoor.cameras.posting import Posting
from stagedoor.cameras.telling import Telling
from stagedoor.events.feed import Feed
from stagedoor.frames.hub import Hub
from stagedoor.jobs.queue import Queue
from stagedoor.kernel.errors import OperatorError
from stagedoor.kernel.sealing import Sealer
from stagedoor.kernel.settings import Settings
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.outbox import delivery
from stagedoor.outbox.sender import Sender
from stagedoor.playback.admission import Doorkeeper
from stagedoor.playback.links import LinkSigner
from stagedoor.playback.watching import Watching
from stagedoor.rooms.adding import Adding
from stagedoor.rooms.bans import Bans
from stagedoor.rooms.bouncer import Bouncer
from stagedoor.rooms.plans import Plans
from stagedoor.storage import Database
from stagedoor.storage.objects import Objects, ObjectsUnavailable
from stagedoor.tenancy.authentication import Authenticator
from stagedoor.tenancy.directory import Directory
from stagedoor.tokens.issue import TokenIssuer
from stagedoor.transcripts import recording
from stagedoor.transcripts.listening import Scribe
from stagedoor.usage.running import Running
from stagedoor.webhooks.applier import Applier
from stagedoor.webhooks.receive import Receiver
from stagedoor.webhooks.store import intake
from stagedoor.webhooks.verify import Keyring


def make_parts(
    settings: Settings,
    secrets: Secrets,
    network: Network,
    database: Database,
    operator_secret: str,
    starting: Callable[[], str | None],
    node: str = "only",
) -> tuple[Services, Bouncer]:
    """The edge's parts, and the bouncer, whose worker the product runs. Called on the running event loop."""
    endpoint = network.endpoint
    gateway = LiveKitGateway(endpoint)
    feed = Feed(database, max_clients=settings.feed_max_clients)
    bouncer = Bouncer(database, gateway, feed)
    queue = Queue(
        when_cancelled={delivery.KIND: delivery.cancelled, recording.RECORD: recording.cancelled},
        when_retried={delivery.KIND: delivery.retried},
    )
    applier = Applier(database, feed, queue, bouncer)
    extra = {key: secret.get_secret_value() for key, secret in settings.webhook_extra_keys.items()}
    keyring = Keyring({endpoint.api_key: endpoint.api_secret, **extra}, settings.webhook_hmac_enabled)
    signer = LinkSigner(secrets.link_secret)
    bans, plans = Bans(database), Plans(database)
    issuer = TokenIssuer(database, bans, plans, endpoint)
    hub, running = Hub(), Running()
    cameras = LiveCameras(hub, running)
    elsewhere = _elsewhere(settings, node, hub, cameras)
    telling = Telling(database, feed)
    services = Services(
        settings=settings,
        public_url=network.public_url,
        database=database,
        feed=feed,
        queue=queue,
        authenticator=Authenticator(database, operator_secret),
        directory=Directory(database),
        bans=bans,
        plans=plans,
        issuer=issuer,
        gateway=gateway,
        receiver=Receiver(keyring, intake(database), applier.wake),
        applier=applier,
        signer=signer,
        doorkeeper=Doorkeeper(signer, api.TokenVerifier(endpoint.api_key, endpoint.api_secret)),
        sealer=Sealer(secrets.sealing_secret),
        sender=Sender(allow_private=settings.webhook_allow_private_targets, timeout_seconds=settings.webhook_timeout),
        scribe=Scribe(),
        objects=_objects(settings),
        gate=Gate(database),
        cameras=cameras,
        elsewhere=elsewhere,
        telling=telling,
        posting=Posting(cameras, telling),
        keeping=Keeping(database, cameras),
        watching=Watching(database, hub, cameras, elsewhere, running),
        adding=Adding(database, node, running),
        bridges=Bridges(database, feed, cameras, Tickets(database, gateway, issuer)),
        starting=starting,
    )
    return services, bouncer


def _elsewhere(settings: Settings, node: str, hub: Hub, cameras: LiveCameras) -> Elsewhere:
    if settings.redis_url is None:
        return Alone()
    # Redis's client takes a tenth of a second to import, which one machine alone need not wait for.
    from stagedoor.cameras.relay import Relay

    try:
        return Relay(settings.redis_url.get_secret_value(), node, hub, cameras)
    except ValueError as error:
        raise OperatorError(f"STAGEDOOR_REDIS_URL can't be used: {error}") from None


def _objects(settings: Settings) -> Objects:
    try:
        return Objects(settings.objects_url, settings.data_dir / "objects")
    except ObjectsUnavailable as error:
        raise OperatorError(f"The object storage can't be used: {error} See STAGEDOOR_OBJECTS_URL.") from None
