"""Finding an app for a caller on the hot path: cached where this process is the only writer."""

from __future__ import annotations

from stagedoor.storage import Database
from stagedoor.tenancy import apps
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal

_CACHED = 10_000


class Directory:
    """Answers as `apps.get` does, which it asks.

    What it keeps are answers for a caller's bounds, so who may see what is still decided in one place. With PostgreSQL
    another node may change an app, so each request asks the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: dict[tuple[str | None, str | None, str], App] = {}
        self._generation = 0

    async def app(self, principal: Principal, reference: str) -> App:
        """The app with this slug or id.

        Raises:
            NotFound: There is none, or the caller may not know of it.
        """
        question = (principal.organisation_id, principal.app_id, reference)
        cached = self._found.get(question)
        if cached is not None:
            return cached
        generation = self._generation
        app = await self._database.read(lambda tx: apps.get(tx, principal, reference))
        # An app that changed while it was read must not be kept as it was before.
        if self._database.dialect == "sqlite" and generation == self._generation:
            if len(self._found) >= _CACHED:
                self._found.clear()
            self._found[question] = app
        return app

    def forget(self) -> None:
        """Drop what is cached: an app has changed."""
        self._found.clear()
        self._generation += 1
