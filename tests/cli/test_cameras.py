"""`stagedoor cameras`, on an installation that does not run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import RunningProduct, clean_environment

pytestmark = pytest.mark.slow


def test_a_camera_from_its_creation_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)

    def run(*words: str) -> Any:
        command = [*RunningProduct.executable(), *words, "--data-dir", str(tmp_path / "data")]
        done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=True)
        return json.loads(done.stdout) if done.stdout.strip() else None

    run("organisations", "create", "Acme", "--json")
    run("apps", "create", "shop", "--organisation", "acme", "--json")
    made = run("cameras", "create", "door", "--app", "shop", "--name", "Front door", "--json")
    assert made["streamKey"].startswith("wsk_")
    assert made["room"] == "shop-door"
    listed = run("cameras", "list", "--app", "shop", "--json")
    assert [camera["name"] for camera in listed] == ["Front door"]
    assert "streamKey" not in listed[0]
    assert run("cameras", "disable", made["id"], "--app", "shop", "--json")["enabled"] is False
    assert run("cameras", "rotate", made["id"], "--app", "shop", "--json")["streamKey"] != made["streamKey"]
    run("cameras", "delete", made["id"], "--app", "shop")
    assert run("cameras", "list", "--app", "shop", "--json") == []
