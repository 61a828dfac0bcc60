"""Probes: a look at a URL for a caller who waits, before anything is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import structlog
from msgspec import structs

from stagedoor.kernel.errors import TooMany, Unavailable
from stagedoor.kernel.rate import Rate
from stagedoor.sources.ingress.embedded import limits_of
from stagedoor.sources.ingress.pull_url import check_url, masked
from stagedoor.sources.pull.settings import PullSettings
from stagedoor.streams.media.protocol import Inspect, Inspected, UrlInput
from stagedoor.streams.media.workers import MediaWorkers
from stagedoor.tenancy.nouns import App

_log = structlog.get_logger()

PICTURES: Final = "mpjpeg"
"""FFmpeg's name of `multipart/x-mixed-replace`."""

LOOK_SECONDS: Final = 6.0
"""How long media is looked at; less when three key frames have been seen."""
MOST_SECONDS: Final = 15.0
"""How long a probe takes at the most, with connecting."""
MOST_OF_NODE: Final = 8
MOST_OF_APP: Final = 2
MOST_OF_ORGANISATION: Final = 4
PER_MINUTE: Final = 30
"""Of an organisation: probes must not guess a camera's password or look for open ports."""


class Probes:
    """The probes of this node.

    Args:
        workers: Look at URLs, in processes of their own.
        settings: Where pulled URLs may lead.
    """

    def __init__(self, workers: MediaWorkers, settings: PullSettings) -> None:
        self._workers = workers
        self._settings = settings
        self._under_way: Counter[str] = Counter()
        self._rate = Rate(PER_MINUTE, 60)

    async def probe(self, app: App, url: str) -> Inspected:
        """What is at a URL, and how the app's ingresses would publish it.

        Raises:
            Invalid: The URL cannot be pulled.
            TooMany: The app or its organisation has as many probes under way, or in a minute, as it may.
            Unavailable: This node is busy, or stopping.
        """
        check_url(url)
        with self._counted(app):
            networks = list(self._settings.pull_allowed_networks)
            source = UrlInput(url, allowed_networks=networks)
            found = await self._workers.inspect(Inspect(source, LOOK_SECONDS, MOST_SECONDS, limits_of(app)))
        if found.format == PICTURES and found.video is not None:
            # Nothing is decoded: see camera.py.
            found = structs.replace(found, video=structs.replace(found.video, passthrough=True, reason=None), advice=[])
        code = None if found.failure is None else found.failure.code
        _log.info("url_probed", app=app.slug, url=masked(url), failure=code)
        return found

    @contextmanager
    def _counted(self, app: App) -> Generator[None]:
        self._check(app)
        counted = ("", app.id, app.organisation_id)
        self._under_way.update(counted)
        try:
            yield
        finally:
            self._under_way.subtract(counted)
            self._under_way += Counter[str]()  # forgets those that have none

    def _check(self, app: App) -> None:
        for holder, whose, most in (
            (app.id, "app", MOST_OF_APP),
            (app.organisation_id, "organisation", MOST_OF_ORGANISATION),
        ):
            if self._under_way[holder] >= most:
                raise TooMany(
                    f"This {whose} has {most} probes under way; wait for their answers.",
                    code="too_many_probes",
                    extra={"limit": most},
                    headers={"Retry-After": "5"},
                )
        if self._under_way[""] >= MOST_OF_NODE:
            raise Unavailable(
                f"This node has {MOST_OF_NODE} probes under way; try again in some seconds.", code="probes_busy"
            )
        if not self._rate.take(app.organisation_id):
            raise TooMany(
                f"This organisation has had {PER_MINUTE} probes in this minute; wait.",
                code="too_many_probes",
                extra={"limit": PER_MINUTE},
                headers={"Retry-After": str(self._rate.retry_after(app.organisation_id))},
            )
