"""The units: systemd takes them, they are hardened, and what they start works together."""

from __future__ import annotations

import configparser
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.support import deploy, livekit, process, ready_line, variables
from tests.doctor.support import run_doctor
from tests.support.ports import free_ports
from tests.support.product import clean_environment, livekit_binary

MOST_EXPOSED = 20
"""systemd's own measure times ten: 0 is a closed box, 100 no protection at all."""


def _written(folder: Path, *arguments: str, **environment: str) -> Path:
    output = folder / "units"
    done = deploy("systemd", "--output", str(output), *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return output


def _separate(folder: Path, *arguments: str, **environment: str) -> Path:
    return _written(folder, "--livekit-binary", str(livekit_binary()), *arguments, **environment)


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("systemd-analyze")
    assert tool, "systemd-analyze is in Debian's package systemd"
    return subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)


def _service(unit: Path) -> dict[str, list[str]]:
    """The settings of the section Service, each with all its values."""
    found: dict[str, list[str]] = {}
    section = unit.read_text().split("[Service]\n")[1].split("\n[Install]")[0]
    for text in section.splitlines():
        if text and not text.startswith("#"):
            name, _, value = text.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("flags", [[], ["--managed"], ["--user", "daemon"], ["--managed", "--user", "daemon"]])
def test_systemd_takes_the_units(tmp_path: Path, flags: list[str]) -> None:
    units = sorted(_separate(tmp_path, *flags).glob("*.service"))
    assert len(units) == (1 if "--managed" in flags else 2)
    done = _analyze("verify", "--man=no", *map(str, units))
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@pytest.mark.parametrize("flags", [[], ["--managed"]])
def test_the_units_are_hardened(tmp_path: Path, flags: list[str]) -> None:
    for unit in _separate(tmp_path, *flags).glob("*.service"):
        done = _analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit))
        assert done.returncode == 0, done.stdout


def test_livekit_is_started_again_whatever_its_exit_code(tmp_path: Path) -> None:
    output = _separate(tmp_path)
    assert _service(output / "livekit.service")["Restart"] == ["always"]
    assert _service(output / "stagedoor.service")["KillMode"] == ["mixed"]


def test_a_managed_livekit_survives_a_crash_of_stagedoor(tmp_path: Path) -> None:
    assert _service(_written(tmp_path, "--managed") / "stagedoor.service")["KillMode"] == ["process"]


def test_secrets_are_private_and_shared(tmp_path: Path) -> None:
    output = _separate(tmp_path)
    for name in ("stagedoor.env", "livekit.yaml"):
        assert stat.S_IMODE((output / name).stat().st_mode) == 0o600
    given = variables(output / "stagedoor.env")
    config = yaml.safe_load((output / "livekit.yaml").read_text())
    assert config["keys"] == {given["LIVEKIT_API_KEY"]: given["LIVEKIT_API_SECRET"]}
    assert config["webhook"]["api_key"] == given["LIVEKIT_API_KEY"]
    assert len(given["LIVEKIT_API_SECRET"]) >= 32
    for unit in output.glob("*.service"):
        assert given["LIVEKIT_API_SECRET"] not in unit.read_text()


def test_written_again_nothing_changes(tmp_path: Path) -> None:
    output = _separate(tmp_path)
    before = {file.name: file.read_text() for file in output.iterdir()}
    _separate(tmp_path)
    assert {file.name: file.read_text() for file in output.iterdir()} == before


def test_a_changed_unit_is_not_overwritten_unasked(tmp_path: Path) -> None:
    output = _separate(tmp_path)
    unit = output / "stagedoor.service"
    unit.write_text(unit.read_text() + "# mine\n")
    done = deploy("systemd", "--output", str(output))
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert unit.read_text().endswith("# mine\n")
    _separate(tmp_path, "--force")
    assert not unit.read_text().endswith("# mine\n")


def test_from_managed_to_separate_the_keys_fit(tmp_path: Path) -> None:
    _written(tmp_path, "--managed")
    output = _separate(tmp_path, "--force")
    given = variables(output / "stagedoor.env")
    assert yaml.safe_load((output / "livekit.yaml").read_text())["keys"] == {
        given["LIVEKIT_API_KEY"]: given["LIVEKIT_API_SECRET"]
    }
    done = deploy("systemd", "--output", str(output), "--managed", "--force")
    assert done.returncode == 2
    assert "external LiveKit" in done.stderr


def test_keys_of_the_settings_are_used(tmp_path: Path) -> None:
    pair = {"LIVEKIT_API_KEY": "APImine", "LIVEKIT_API_SECRET": "my-own-secret-that-livekit-has-already"}
    output = _separate(tmp_path, LIVEKIT_API_HOST="http://127.0.0.1:7880", **pair)
    assert variables(output / "stagedoor.env").items() >= pair.items()


def test_an_https_public_url_is_carried_through(tmp_path: Path) -> None:
    output = _separate(tmp_path, "--public-url", "https://calls.example.com", "--node-ip", "203.0.113.7")
    given = variables(output / "stagedoor.env")
    assert given["STAGEDOOR_PUBLIC_URL"] == "https://calls.example.com"
    assert given["STAGEDOOR_LIVEKIT_PUBLIC_URL"] == "wss://calls.example.com"
    config = yaml.safe_load((output / "livekit.yaml").read_text())
    assert config["rtc"]["node_ip"] == "203.0.113.7"
    assert config["bind_addresses"] == ["127.0.0.1"]


def test_what_the_units_start_works_together(tmp_path: Path) -> None:
    """The commands, environments and files of both units, run by hand on other ports."""
    http, signalling, tcp, udp = free_ports(4)
    ports = {
        "STAGEDOOR_LIVEKIT_PORT": str(signalling),
        "STAGEDOOR_LIVEKIT_TCP_PORT": str(tcp),
        "STAGEDOOR_LIVEKIT_UDP_PORT": str(udp),
    }
    output = _separate(tmp_path, "--http", f"127.0.0.1:{http}", **ports)
    given = clean_environment() | variables(output / "stagedoor.env")
    media = _service(output / "livekit.service")["ExecStart"][0]
    stagedoor = _service(output / "stagedoor.service")["ExecStart"][0]
    media_command = media.replace("${CREDENTIALS_DIRECTORY}", str(output)).split()
    command = stagedoor.replace("%S", str(tmp_path / "state")).split()
    log = tmp_path / "log"
    with (
        livekit(media_command, clean_environment(), signalling, log),
        process([*command, "--json"], given, log) as child,
    ):
        assert ready_line(child, log)["livekit"]["mode"] == "external"
        code, findings = run_doctor("--data-dir", command[-1], **variables(output / "stagedoor.env"))
        assert code == 0, [found for found in findings.values() if found["status"] == "broken"]
        assert findings["webhook"]["status"] == "ok"


def test_the_units_can_be_parsed_by_others(tmp_path: Path) -> None:
    """No line that only systemd's leniency would take."""
    for unit in _separate(tmp_path).glob("*.service"):
        parser = configparser.RawConfigParser(strict=False)
        parser.read(unit)
        assert parser.sections() == ["Unit", "Service", "Install"]


@pytest.mark.parametrize("user", ["bob\nExecStartPre=/bin/evil", "bob evil", "%i", "", "-x", "a" * 40])
def test_a_user_that_is_no_users_name_is_refused(tmp_path: Path, user: str) -> None:
    output = tmp_path / "units"
    done = deploy("systemd", "--output", str(output), "--user", user)
    assert done.returncode == 2
    assert "user" in done.stderr
    assert not output.exists()


def test_a_program_with_a_line_break_is_refused(tmp_path: Path) -> None:
    output = tmp_path / "units"
    done = deploy("systemd", "--output", str(output), "--livekit-binary", "/bin/livekit\nExecStartPre=/bin/evil")
    assert done.returncode == 2
    assert not output.exists()
