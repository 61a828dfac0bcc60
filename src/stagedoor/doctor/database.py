"""Can the database be written?"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from stagedoor.doctor.context import Context
from stagedoor.doctor.instance import Instance
from stagedoor.doctor.process import START
from stagedoor.doctor.result import CheckResult, broken, ok, skipped
from stagedoor.kernel.errors import OperatorError, StorageUnavailable
from stagedoor.processes.filelock import FileLock
from stagedoor.storage import open_database

CHECK = "database"
_FIX = "See that the disk has space and the database may be written by Stagedoor's user; its log says more."


async def check(context: Context, instance: Instance | None) -> CheckResult:
    """Ask the running instance, which alone may write; write ourselves when none runs."""
    if instance is not None:
        return await _ask(instance)
    if context.state == "starting":
        return skipped(CHECK, "Stagedoor is starting and holds the database.", "Run `stagedoor doctor` again.")
    configured = context.settings.database_url
    if configured is not None and not configured.get_secret_value().startswith("sqlite"):
        return await _try(configured.get_secret_value())
    if not context.folder.exists():
        return ok(CHECK, f"There is no database yet; the first start makes it in {context.folder}.")
    if context.folder.stat().st_uid != os.geteuid():
        return skipped(CHECK, "The database is another user's; writing as this one would leave files behind.", START)
    if configured is not None:
        return await _try(configured.get_secret_value())
    return await _try_file(context.folder)


async def _ask(instance: Instance) -> CheckResult:
    answer = await instance.ready()
    if answer.status not in {200, 503}:
        return skipped(CHECK, "The running Stagedoor does not say how its database is.", "Fix `stagedoor` first.")
    reasons = [str(reason) for reason in answer.json().get("reasons", ()) if "database" in str(reason)]
    if reasons:
        return broken(CHECK, " ".join(reasons), _FIX)
    return ok(CHECK, "The running Stagedoor has just written to its database and read from it.")


async def _try_file(folder: Path) -> CheckResult:
    file = folder / "stagedoor.db"
    lock = FileLock(folder / "lock")
    try:
        if not file.exists():
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"x")
            return ok(CHECK, f"There is no database yet; the first start makes it in {folder}, which can be written.")
        if not lock.try_acquire():
            return skipped(CHECK, "A Stagedoor has just started.", "Run `stagedoor doctor` again.")
        return await _try(file)
    except OSError as error:
        return broken(CHECK, f"The data folder {folder} cannot be written: {error.strerror}.", _FIX)
    finally:
        lock.release()


async def _try(url: str | Path) -> CheckResult:
    try:
        database = await open_database(url)
        try:
            await database.ping()
        finally:
            await database.close()
    except (StorageUnavailable, OperatorError) as error:
        return broken(CHECK, f"The database cannot be used: {error}", _FIX)
    return ok(CHECK, "The database was opened, written and read.")
