"""`stagedoor up` as scripts rely on it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.support.ports import free_ports
from tests.support.product import Mode, RunningProduct, clean_environment, running


@pytest.mark.parametrize("mode", ["managed", "external"])
def test_the_ready_line(tmp_path: Path, mode: Mode) -> None:
    with running(tmp_path, mode) as product:
        ready = product.ready
        assert list(ready) == [
            "ready",
            "url",
            "rtmp",
            "apiKey",
            "ownerUrl",
            "organisation",
            "app",
            "livekit",
            "dataDir",
        ]
        assert ready["ready"] is True
        assert ready["url"] == product.url
        assert ready["apiKey"].startswith("sk_")
        assert re.fullmatch(rf"{re.escape(product.url)}/welcome#lnk_\S{{43}}", ready["ownerUrl"])
        assert (ready["organisation"], ready["app"]) == ("default", "live")
        assert ready["livekit"]["mode"] == mode
        assert ready["livekit"]["url"].startswith("ws://127.0.0.1:")
        assert ready["livekit"]["version"] == "1.13.5"
        assert ready["dataDir"] == str(product.data_dir)
        assert stat.S_IMODE(product.data_dir.stat().st_mode) == 0o700
        for file in product.data_dir.rglob("*"):
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, f"{file} can be read by others"
        assert product.stop() == 0
        assert not (product.data_dir / "operator.json").exists()
        again = product.start()
        assert (again["apiKey"], again["ownerUrl"]) == (None, None)
        assert product.stop() == 0


def test_the_key_and_secrets_are_nowhere_in_the_log(managed_product: RunningProduct) -> None:
    secrets = json.loads((managed_product.data_dir / "secrets.json").read_text())
    for secret in (managed_product.api_key, secrets["livekit_api_secret"], secrets["link_secret"]):
        assert secret not in managed_product.log


def test_the_summary_for_a_person_has_the_link_to_open(tmp_path: Path) -> None:
    product = RunningProduct(tmp_path)
    ports = free_ports(4)
    flags = ("--http", f"127.0.0.1:{ports[0]}", "--livekit-port", str(ports[1]))
    more = ("--livekit-tcp-port", str(ports[2]), "--livekit-udp-port", str(ports[3]))
    process = subprocess.Popen(
        product.command("up", *flags, *more), stdout=subprocess.PIPE, text=True, env=product.environment()
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if str(product.data_dir) in line:
            break
    link = re.search(rf"http://127\.0\.0\.1:{ports[0]}/meet/live/live-demo\?token=\S+", said)
    assert link is not None
    with urllib.request.urlopen(link[0]) as page:
        assert page.status == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
    assert re.search(r"sk_\S{43}", said)
    assert re.search(rf"http://127\.0\.0\.1:{ports[0]}/welcome#lnk_\S{{43}}   \(for an hour, once\)", said)
    assert f"http://127.0.0.1:{ports[0]}/api/v1" in said


def test_at_a_terminal_the_start_shows_progress_and_the_summary_and_no_log(tmp_path: Path) -> None:
    product = RunningProduct(tmp_path)
    ports = free_ports(4)
    flags = ("--http", f"127.0.0.1:{ports[0]}", "--livekit-port", str(ports[1]))
    more = ("--livekit-tcp-port", str(ports[2]), "--livekit-udp-port", str(ports[3]))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        product.command("up", *flags, *more), stdout=theirs, stderr=theirs, env=product.environment()
    )
    os.close(theirs)
    shown = ""
    while "Data " not in shown:
        shown += os.read(ours, 65_536).decode()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    os.close(ours)
    before = shown.partition("Stagedoor is ready.")[0]
    assert "livekit_" not in before
    assert "[info" not in before


@pytest.mark.parametrize(
    ("flags", "environment", "says"),
    [
        (["--http", "8080"], {}, "HOST:PORT"),
        (["--livekit-port", "many"], {}, "--livekit-port"),
        (["--nonsense"], {}, "--nonsense"),
        ([], {"LIVEKIT_API_HOST": "http://127.0.0.1:7880"}, "LIVEKIT_API_KEY"),
        ([], {"STAGEDOOR_RECONCILE_INTERVAL": "often"}, "STAGEDOOR_RECONCILE_INTERVAL"),
        (["--livekit-binary", "/nowhere/livekit-server"], {}, "/nowhere/livekit-server"),
        (["--config", "/nowhere/stagedoor.toml"], {}, "/nowhere/stagedoor.toml"),
    ],
)
def test_a_mistake_ends_with_2_and_a_sentence(
    tmp_path: Path, flags: list[str], environment: dict[str, str], says: str
) -> None:
    done = _up(tmp_path, flags, environment)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_port_in_use_ends_with_1_and_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = _up(tmp_path, ["--http", address], {})
    assert done.returncode == 1
    assert address in done.stderr
    assert "--http" in done.stderr


def test_a_first_run_that_fails_does_not_use_up_the_key(tmp_path: Path) -> None:
    product = RunningProduct(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        (http,) = free_ports(1)
        done = _up(product.data_dir, ["--http", f"127.0.0.1:{http}", "--livekit-port", port], {})
    assert done.returncode == 1
    assert (product.data_dir / "stagedoor.db").exists()
    try:
        assert product.start()["apiKey"].startswith("sk_")
        product.stop()
        assert product.start()["apiKey"] is None
    finally:
        product.close()


def test_a_data_folder_that_cannot_be_is_a_mistake(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    done = _up(blocked / "data", [], {})
    assert done.returncode == 2
    assert "data folder" in done.stderr


def _up(data_dir: Path, flags: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [*RunningProduct.executable(), "up", "--json", "--data-dir", str(data_dir), *flags]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment() | {"HOME": os.environ.get("HOME", "/")} | environment,
        check=False,
    )
