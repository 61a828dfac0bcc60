"""Finding an app for a caller on the hot path: cached where this process is the only writer."""

from __future__ import annotations

from stagedoor.storage import Database, GenerationCache
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal


class Directory:
    """Answers as `apps.get` does, which it asks.

    What it keeps are answers for a caller's bounds, so who may see what is still decided in one place. With PostgreSQL
    another node may change an app, so each request asks the database.
    """

    def __init__(self, database: Database) -> None:
        self._found = GenerationCache[tuple[str | None, str | None, str], App](database)

    async def app(self, principal: Principal, reference: str) -> App:
        """The app with this slug or id.

        Raises:
            NotFound: There is none, or the caller may not know of it.
        """
        question = (principal.organisation_id, principal.app_id, reference)
        app = await self._found.get(question, lambda tx: apps.get(tx, principal, reference))
        assert app is not None  # noqa: S101 - it raises where there is none
        return app

    def forget(self) -> None:
        """Drop what is cached: an app has changed."""
        self._found.forget()
