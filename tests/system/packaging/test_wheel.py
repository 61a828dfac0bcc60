"""The wheel alone is the product: pages and migrations are in it, and it runs outside the checkout without Node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.ports import free_ports
from tests.support.product import clean_environment, livekit_binary

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
UV = os.environ.get("UV", "uv")
"""`uv run` names itself here; it need not be on the PATH."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make wheel` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but the wheel and what it depends on, in the versions of the lock file."""
    folder = tmp_path_factory.mktemp("installed")
    venv, locked = folder / "venv", folder / "locked.txt"
    export = ["export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--output-file", locked]
    subprocess.run([UV, *export], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, venv], check=True, cwd=folder)
    install = ["pip", "install", "--quiet", "--python", venv, "--constraint", locked, wheel]
    subprocess.run([UV, *install], check=True, cwd=folder)
    return venv


@pytest.fixture
def outside(installed: Path, tmp_path: Path) -> dict[str, str]:
    """An environment that knows neither the checkout nor Node."""
    kept = {
        name: value for name, value in clean_environment().items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    system = [folder for folder in ("/usr/bin", "/bin") if not (Path(folder) / "node").exists()]
    return kept | {
        "PATH": os.pathsep.join([str(installed / "bin"), *system]),
        "HOME": str(tmp_path),
        "STAGEDOOR_LIVEKIT_BINARY": str(livekit_binary()),
    }


def files_below(folder: Path, prefix: str) -> set[str]:
    return {
        f"{prefix}/{path.relative_to(folder)}"
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_carries_the_whole_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if name.startswith("stagedoor/") and not name.endswith("/")}
    assert carried == files_below(ROOT / "src" / "stagedoor", "stagedoor")
    pages = {
        f"stagedoor/pages/static/{page}.html" for page in ("play", "embed", "meet", "publish", "docs", "unavailable")
    }
    assert pages <= carried
    assert {"stagedoor/py.typed", "stagedoor/storage/migrations/env.py"} <= carried
    assert any(name.startswith("stagedoor/storage/migrations/versions/v0001") for name in carried)


def test_help_without_a_checkout(outside: dict[str, str], tmp_path: Path) -> None:
    said = subprocess.run(
        ["stagedoor", "--help"], env=outside, cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "up" in said


@pytest.fixture
def ready(outside: dict[str, str], tmp_path: Path) -> Generator[dict[str, str]]:
    """What `stagedoor up --json` of the installed wheel says."""
    http, *livekit = (str(port) for port in free_ports(4))
    flags = ["--http", f"127.0.0.1:{http}", "--data-dir", str(tmp_path / "data")]
    for flag, port in zip(("--livekit-port", "--livekit-tcp-port", "--livekit-udp-port"), livekit, strict=True):
        flags += [flag, port]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            ["stagedoor", "up", "--json", *flags],
            env=outside,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, (tmp_path / "log").read_text()
        yield json.loads(line)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
        process.stdout.close()
    assert code == 0, (tmp_path / "log").read_text()


def test_the_installed_wheel_runs_and_serves_pages(ready: dict[str, str]) -> None:
    assert ready["ready"] is True
    with urllib.request.urlopen(f"{ready['url']}/api/v1/docs", timeout=10) as answer:
        page = answer.read().decode()
    assert 'id="stagedoor-config"' in page
    script = page.split('src="', 1)[1].split('"', 1)[0]
    with urllib.request.urlopen(f"{ready['url']}{script}", timeout=10) as answer:
        assert answer.status == 200
        assert "javascript" in answer.headers["Content-Type"]
        assert answer.read()
    wanted = urllib.request.Request(
        f"{ready['url']}/api/v1/apps/live/tokens",
        data=b'{"room": "wheel"}',
        headers={"Authorization": f"Bearer {ready['apiKey']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(wanted, timeout=10) as answer:
        play_url = json.load(answer)["data"]["playUrl"]
    with urllib.request.urlopen(play_url, timeout=10) as answer:
        assert b'"livekitRoom":"live-wheel"' in answer.read()
