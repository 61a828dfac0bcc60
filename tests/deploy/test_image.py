"""The image's recipe: what the last stage holds and starts; its command is run natively."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.deploy.support import process, ready_line
from tests.support.ports import free_ports
from tests.support.product import clean_environment, livekit_binary

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def _instructions() -> list[tuple[str, str]]:
    joined = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = (line.strip() for line in joined.splitlines())
    return [
        (name, " ".join(rest.split()))
        for name, _, rest in (line.partition(" ") for line in lines if line and not line.startswith("#"))
    ]


def _last_stage() -> list[tuple[str, str]]:
    found = _instructions()
    return found[max(index for index, (name, _) in enumerate(found) if name == "FROM") :]


def _value(name: str) -> str:
    values = [value for instruction, value in _last_stage() if instruction == name]
    assert len(values) == 1, values
    return values[0]


def test_the_last_stage_is_small_and_not_root() -> None:
    assert _value("FROM") == "python:3.11-slim-bookworm"
    assert _value("USER") == "stagedoor"
    assert _value("COPY") == "--from=install /opt/stagedoor /opt/stagedoor"
    assert "MALLOC_TRIM_THRESHOLD_=268435456" in _value("ENV")
    for tool in ("apt-get", "npm", "pip install", "uv "):
        assert tool not in _value("RUN")


def test_what_is_copied_exists() -> None:
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    for name, value in _instructions():
        if name == "COPY" and "--from" not in value:
            for source in value.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source.split('/')[0]}" in ignored


def test_the_command_starts_the_product_and_the_health_check_agrees(tmp_path: Path) -> None:
    http, signalling, tcp, udp = free_ports(4)
    command: list[str] = [*json.loads(_value("ENTRYPOINT")), *json.loads(_value("CMD"))]
    assert command == ["stagedoor", "up", "--http", "0.0.0.0:8080", "--data-dir", "/data"]
    here: dict[str, str] = {"0.0.0.0:8080": f"0.0.0.0:{http}", "/data": str(tmp_path / "data")}
    environment = clean_environment() | {
        "STAGEDOOR_LIVEKIT_PORT": str(signalling),
        "STAGEDOOR_LIVEKIT_TCP_PORT": str(tcp),
        "STAGEDOOR_LIVEKIT_UDP_PORT": str(udp),
        "STAGEDOOR_LIVEKIT_BINARY": str(livekit_binary()),
    }
    check = json.loads(_value("HEALTHCHECK").partition("CMD ")[2])
    asked = [sys.executable, *(part.replace(":8080/", f":{http}/") for part in check[1:])]
    assert check[0] == "python"
    log = tmp_path / "log"
    with process([*(here.get(part, part) for part in command), "--json"], environment, log) as child:
        ready_line(child, log)
        assert subprocess.run(asked, check=False).returncode == 0
    assert subprocess.run(asked, check=False, stderr=subprocess.DEVNULL).returncode != 0
