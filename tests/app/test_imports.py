"""A start on SQLite with a LiveKit of its own imports nothing that only others need."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support.product import clean_environment

REPORT = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules} | set(sys.modules)))"


@cache
def imported_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {REPORT}"],
        check=True,
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "package",
    [
        "alembic",
        "asyncpg",
        "sqlalchemy.orm",
        "livekit.api",
        "livekit.rtc",
        "cryptography",
        "joserfc",
        "obstore",
        "redis",
        "limits",
    ],
)
def test_the_product_does_without(package: str) -> None:
    assert package not in imported_by("import stagedoor.app.startup")


@pytest.mark.parametrize("package", ["sqlalchemy", "fastapi", "aiohttp", "pydantic", "structlog", "asyncio"])
def test_the_help_does_without(package: str) -> None:
    assert package not in imported_by("from stagedoor.cli import make_app; make_app(['--help'])")


@pytest.mark.parametrize("package", ["sqlalchemy", "fastapi", "aiohttp", "structlog", "livekit"])
def test_a_verb_to_a_running_instance_does_without(package: str) -> None:
    names = "import stagedoor.cli.client, stagedoor.cli.requests, stagedoor.settings.resolve"
    assert package not in imported_by(names)


@pytest.mark.parametrize(
    ("words", "folder", "reached"),
    [
        (["up"], "/proc/none", "stagedoor.app.datafolder"),
        (["organisations", "list", "--json"], None, "stagedoor.api.application"),
    ],
)
def test_coloured_tracebacks_are_not_imported(
    words: list[str], folder: str | None, reached: str, tmp_path: Path
) -> None:
    """structlog would: for `up`, and for a verb that is answered in its own process."""
    tmp_path.chmod(0o700)
    command = ["-X", "importtime", "-m", "stagedoor", *words, "--data-dir", folder or str(tmp_path)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=clean_environment())
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert {"structlog", reached} <= imported, done.stderr[-500:]
    assert not {name for name in imported if name.startswith(("rich.", "pygments"))}
