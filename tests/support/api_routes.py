"""The application's real route table, and the application without a socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from stagedoor.api.application import build
from stagedoor.api.prefix import PREFIX
from stagedoor.app.datafolder import DataFolder
from stagedoor.app.network import lay_out
from stagedoor.app.service_factory import make_services
from stagedoor.pages.pages import Pages
from stagedoor.services.services import Services
from stagedoor.settings.resolve import resolve
from stagedoor.storage import migrate, open_database


@asynccontextmanager
async def application(folder: Path, **settings: Any) -> AsyncGenerator[tuple[FastAPI, Services]]:
    """The application as `stagedoor up` builds it, with a database of its own and no LiveKit that answers."""
    chosen = resolve({"data_dir": folder / "data", **settings}, {}).settings
    data = DataFolder(chosen.data_dir)
    secrets = data.secrets()
    network = lay_out(chosen, secrets)
    await migrate(data.database)
    database = await open_database(data.database)
    parts = make_services(chosen, secrets, network, database, "operator-secret", lambda: None)
    document = f"{PREFIX}/openapi.json"
    pages = Pages(parts, document)
    try:
        yield build(parts, pages.routes(f"{PREFIX}/docs")), parts
    finally:
        await parts.gateway.close()
        await parts.sender.close()
        await database.close()
