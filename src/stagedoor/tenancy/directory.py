"""Finding an app for a caller on the hot path: cached where this process is the only writer."""

from __future__ import annotations

from stagedoor.storage import Database, GenerationCache
from stagedoor.tenancy import apps, store
from stagedoor.tenancy.nouns import App
from stagedoor.tenancy.principals import Principal


class Directory:
    """Answers as `apps.get` does, which it asks.

    What it keeps are answers for a caller's bounds, so who may see what is still decided in one place. With PostgreSQL
    another node may change an app, so each request asks the database.
    """

    def __init__(self, database: Database) -> None:
        self._sole_writer = database.sole_writer
        self._found = GenerationCache[tuple[str | None, str | None, str], App](database)
        self._slugs = GenerationCache[str, frozenset[str]](database)

    async def app(self, principal: Principal, reference: str) -> App:
        """The app with this slug or id.

        Raises:
            NotFound: There is none, or the caller may not know of it.
        """
        question = (principal.organisation_id, principal.app_id, reference)
        app = await self._found.get(question, lambda tx: apps.get(tx, principal, reference))
        assert app is not None  # noqa: S101 - it raises where there is none
        return app

    async def may_have(self, slug: str) -> bool:
        """Whether there is an app with this slug; true where another node may make one at any time."""
        known = self.known_to_have(slug)
        if known is not None:
            return known
        slugs = await self._slugs.get("", lambda tx: frozenset(store.slugs(tx)))
        return slugs is None or slug in slugs

    def known_to_have(self, slug: str) -> bool | None:
        """As `may_have`, when that is known without asking the database; else `None`."""
        if not self._sole_writer:
            return True
        slugs = self._slugs.peek("")
        return None if slugs is None else slug in slugs

    @property
    def generation(self) -> int:
        """Another number once an app has changed."""
        return self._slugs.generation

    def forget(self) -> None:
        """Drop what is cached: an app has changed."""
        self._found.forget()
        self._slugs.forget()
