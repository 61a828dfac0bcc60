"""Running the migrations that a database lacks, with Alembic."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from stagedoor.kernel.errors import CallerMistake, OperatorError
from stagedoor.storage.faults import raise_unavailable
from stagedoor.storage.opening import sqlite_path
from stagedoor.storage.sqlite.dialect import make_engine as make_sqlite_engine
from stagedoor.storage.sqlite.engine import prepare
from stagedoor.storage.types import metadata

_alembic = threading.Lock()
"""Alembic keeps what it works on in module globals, so one thread of a process at a time."""
LOCK: Final = 0x57A6ED00
"""The number of the advisory lock that keeps two nodes from migrating at once."""


def upgrade(url: str | Path, scripts: Path) -> None:
    """As `stagedoor.storage.migration.upgrade`, whatever the database's revision is."""
    with _alembic:
        _upgrade(url, scripts)


def _upgrade(url: str | Path, scripts: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    directory = ScriptDirectory.from_config(config)
    directory.get_heads()  # reads every migration now: on PostgreSQL the rest runs on an event loop
    path = sqlite_path(url)
    try:
        if path is None:
            asyncio.run(_upgrade_postgres(str(url), config, directory))
        else:
            _upgrade_sqlite(path, config, directory)
    except SQLAlchemyError as error:
        raise_unavailable("postgresql" if path is None else "sqlite", error)
        raise


async def _upgrade_postgres(url: str, config: Config, directory: ScriptDirectory) -> None:
    from stagedoor.storage.postgres.pool import make_engine as make_postgres_engine

    engine = make_postgres_engine(url, 1)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            await connection.run_sync(run, config, directory)
    finally:
        await engine.dispose()


def _upgrade_sqlite(path: str, config: Config, directory: ScriptDirectory) -> None:
    prepare(path)
    engine = make_sqlite_engine(path, "migrate")
    with engine.begin() as connection:
        run(connection, config, directory)
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise OperatorError(f"After the migration a row of {broken[0]} refers to one of {broken[2]} that is gone.")


def run(connection: Connection, config: Config, directory: ScriptDirectory) -> None:
    """Run the missing migrations on a connection that is in a transaction, which the caller commits.

    Raises:
        OperatorError: The database was migrated by a newer version of the code.
    """

    def steps(revisions: Any, _context: Any) -> Any:
        _refuse_newer(directory, revisions)
        return directory._upgrade_revs("head", revisions)  # pyright: ignore[reportPrivateUsage]

    with EnvironmentContext(config, directory, fn=steps, destination_rev="head") as environment:
        configure(environment, connection)
        environment.run_migrations()


def configure(environment: Any, connection: Connection) -> None:
    """Configure how Alembic runs the migrations: in the transaction that `connection` is in, DDL included."""
    environment.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )


@contextmanager
def connect_for_development(arguments: Mapping[str, str]) -> Generator[Connection]:
    """The SQLite database that `alembic -x url=sqlite:////…` names.

    Raises:
        CallerMistake: It is missing, or names something else.
    """
    path = sqlite_path(arguments.get("url", ""))
    if path is None:
        raise CallerMistake("Alembic's own commands work on a SQLite database here: -x url=sqlite:////path.")
    prepare(path)
    with make_sqlite_engine(path, "migrate").begin() as connection:
        yield connection


def _refuse_newer(directory: ScriptDirectory, revisions: tuple[str, ...]) -> None:
    for revision in revisions:
        try:
            directory.get_revision(revision)
        except CommandError:
            raise OperatorError(
                f"The database was made by a newer version of Stagedoor (its revision is {revision}). "
                "Install that version, or restore a backup made before it."
            ) from None
