"""The services, made from the settings, the data folder's secrets and an open database."""

from __future__ import annotations

import contextlib
import secrets as randomness
from collections.abc import AsyncGenerator, Callable

from stagedoor.app.datafolder import DataFolder, Secrets
from stagedoor.app.network import Network, lay_out
from stagedoor.app.reactions import reactions
from stagedoor.kernel.errors import OperatorError, StorageUnavailable
from stagedoor.services.services import Services
from stagedoor.settings.installation import Settings
from stagedoor.storage import Database, migrate, open_database


def make_services(
    settings: Settings,
    secrets: Secrets,
    network: Network,
    database: Database,
    operator_secret: str,
    starting: Callable[[], str | None],
    node: str = "only",
) -> Services:
    """The services. Called on the running event loop."""
    services = Services(
        settings=settings,
        database=database,
        public_url=network.public_url,
        endpoint=network.endpoint,
        same_clock=network.same_machine,
        link_secret=secrets.link_secret,
        sealing_secret=secrets.sealing_secret,
        operator_secret=operator_secret,
        node=node,
        starting=starting,
        reactions=reactions,
    )
    services.make()
    return services


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
        services = make_services(settings, secrets, network, database, operator, lambda: "Stagedoor does not run.")
        closing.push_async_callback(services.close)
        yield services, operator
