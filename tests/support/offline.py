"""The application without servers: for tests that ask what it is, not what it does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from stagedoor.api.application import build
from stagedoor.api.prefix import PREFIX
from stagedoor.app.datafolder import DataFolder
from stagedoor.app.network import lay_out
from stagedoor.app.service_factory import make_services
from stagedoor.pages.pages import Pages
from stagedoor.settings.resolve import resolve
from stagedoor.storage import migrate, open_database


@asynccontextmanager
async def offline_application(folder: Path) -> AsyncGenerator[FastAPI]:
    """The application on an empty SQLite database in `folder`; LiveKit does not answer."""
    settings = resolve({"data_dir": folder, "livekit_port": 1}, {}).settings
    data = DataFolder(settings.data_dir)
    secrets = data.secrets()
    await migrate(data.database)
    database = await open_database(data.database)
    network = lay_out(settings, secrets)
    parts = make_services(settings, secrets, network, database, "operator", lambda: "offline")
    document = f"{PREFIX}/openapi.json"
    pages = Pages(parts, document)
    try:
        yield build(parts, pages.routes(f"{PREFIX}/docs"))
    finally:
        await parts.gateway.close()
        await parts.sender.close()
        await database.close()
