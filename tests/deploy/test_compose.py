"""The compose file: whole, closed where it should be, and with a LiveKit configuration that LiveKit takes."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from stagedoor import __version__
from stagedoor.settings.resolve import resolve
from tests.deploy.support import deploy, interpolated, livekit, process, ready_line, variables
from tests.doctor.support import run_doctor
from tests.support.ports import free_ports
from tests.support.product import clean_environment, livekit_binary

EVERYTHING = ("--with-postgres", "--with-redis")


def _written(folder: Path, *arguments: str, **environment: str) -> Path:
    output = folder / "compose"
    done = deploy("compose", "--output", str(output), *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return output


def _loaded(output: Path) -> dict[str, Any]:
    return yaml.safe_load(interpolated((output / "compose.yaml").read_text(), variables(output / ".env")))


@pytest.mark.parametrize("flags", [(), ("--with-postgres",), ("--with-redis",), EVERYTHING])
def test_every_reference_leads_somewhere(tmp_path: Path, flags: tuple[str, ...]) -> None:
    project = _loaded(_written(tmp_path, *flags))
    services: dict[str, Any] = project["services"]
    assert set(services) == {"stagedoor", "livekit"} | {flag.removeprefix("--with-") for flag in flags}
    for service in services.values():
        assert "healthcheck" in service
        assert service["restart"] == "unless-stopped"
        assert set(service.get("depends_on", {})) <= set(services)
        assert set(service["networks"]) <= set(project["networks"])
        named = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert named <= set(project["volumes"])


def test_only_what_must_be_is_published(tmp_path: Path) -> None:
    services = _loaded(_written(tmp_path, *EVERYTHING, "--public-url", "https://calls.example.com"))["services"]
    assert services["stagedoor"]["ports"] == ["127.0.0.1:8080:8080"]
    assert services["livekit"]["ports"] == ["127.0.0.1:7880:7880", "7881:7881/tcp", "7882:7882/udp"]
    assert "ports" not in services["postgres"]
    assert "ports" not in services["redis"]
    environment = services["stagedoor"]["environment"]
    assert environment["STAGEDOOR_LIVEKIT_PUBLIC_URL"] == "wss://calls.example.com"
    trusted = resolve({}, {"STAGEDOOR_TRUSTED_PROXIES": environment["STAGEDOOR_TRUSTED_PROXIES"]}).settings
    assert "172.16.0.0/12" in trusted.trusted_proxies  # the proxy's connections come from Docker's bridge


def test_without_a_proxy_browsers_reach_it_directly(tmp_path: Path) -> None:
    services = _loaded(_written(tmp_path, "--node-ip", "203.0.113.7"))["services"]
    assert services["stagedoor"]["ports"] == ["0.0.0.0:8080:8080"]
    assert services["stagedoor"]["environment"]["STAGEDOOR_PUBLIC_URL"] == "http://203.0.113.7:8080"
    assert services["stagedoor"]["environment"]["STAGEDOOR_LIVEKIT_PUBLIC_URL"] == "ws://203.0.113.7:7880"
    assert services["stagedoor"]["environment"]["STAGEDOOR_TRUSTED_PROXIES"] == "127.0.0.1,::1"


def test_the_images_are_pinned(tmp_path: Path) -> None:
    services = _loaded(_written(tmp_path, *EVERYTHING))["services"]
    assert services["livekit"]["image"] == "livekit/livekit-server:v1.13.5"
    assert services["stagedoor"]["image"] == f"stagedoor:{__version__}"


def test_secrets_are_in_the_private_file_only(tmp_path: Path) -> None:
    output = _written(tmp_path, *EVERYTHING)
    assert stat.S_IMODE((output / ".env").stat().st_mode) == 0o600
    text = (output / "compose.yaml").read_text()
    for name, value in variables(output / ".env").items():
        if name.endswith(("_SECRET", "_PASSWORD")):
            assert len(value) >= 32
            assert value not in text


def test_written_again_secrets_stay_and_missing_ones_are_added(tmp_path: Path) -> None:
    output = _written(tmp_path)
    (output / ".env").write_text((output / ".env").read_text().replace("LIVEKIT_UDP_PORT=7882", "LIVEKIT_UDP_PORT=9"))
    before = variables(output / ".env")
    refused = deploy("compose", "--output", str(output), *EVERYTHING)
    assert refused.returncode == 2
    assert variables(output / ".env") == before
    _written(tmp_path, *EVERYTHING, "--force")
    after = variables(output / ".env")
    assert after.items() >= before.items()
    assert set(after) - set(before) == {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
    assert stat.S_IMODE((output / ".env").stat().st_mode) == 0o600


def test_a_value_that_readers_would_read_differently_is_refused(tmp_path: Path) -> None:
    done = deploy("compose", "--output", str(tmp_path), "--public-url", "https://calls.example.com/a$b")
    assert done.returncode == 2
    assert "STAGEDOOR_PUBLIC_URL" in done.stderr
    assert not (tmp_path / ".env").exists()


def test_the_services_work_together(tmp_path: Path) -> None:
    """LiveKit's configuration and Stagedoor's environment as in the file; names and ports are moved here."""
    http, signalling, tcp, udp = free_ports(4)
    ports = {"STAGEDOOR_LIVEKIT_TCP_PORT": str(tcp), "STAGEDOOR_LIVEKIT_UDP_PORT": str(udp)}
    flags = ("--node-ip", "127.0.0.1", "--public-url", f"http://127.0.0.1:{http}")
    services = _loaded(_written(tmp_path, *flags, **ports))["services"]
    here = {
        "http://stagedoor:8080": f"http://127.0.0.1:{http}",
        "http://livekit:7880": f"http://127.0.0.1:{signalling}",
        "port: 7880": f"port: {signalling}",
    }
    as_here = json.dumps(services)
    for there, ours in here.items():
        as_here = as_here.replace(there, ours)
    moved = json.loads(as_here)
    # A container has one address; on this machine only loopback is to be announced.
    media = yaml.safe_load(moved["livekit"]["environment"]["LIVEKIT_CONFIG"])
    media["rtc"] |= {"enable_loopback_candidate": True, "ips": {"includes": ["127.0.0.0/8"]}}
    environment = clean_environment() | {"LIVEKIT_CONFIG": yaml.safe_dump(media)}
    given: dict[str, str] = moved["stagedoor"]["environment"]
    command = ["stagedoor", "up", "--json", "--http", f"127.0.0.1:{http}", "--data-dir", str(tmp_path / "data")]
    log = tmp_path / "log"
    with (
        livekit([str(livekit_binary())], environment, signalling, log),
        process(command, clean_environment() | given, log) as child,
    ):
        ready_line(child, log)
        code, findings = run_doctor("--data-dir", str(tmp_path / "data"), **given)
    assert code == 0, [found for found in findings.values() if found["status"] == "broken"]
    assert findings["webhook"]["status"] == "ok"
