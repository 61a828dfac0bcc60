"""`stagedoor ingress`, on an installation that does not run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import RunningProduct, clean_environment

pytestmark = pytest.mark.slow


def test_an_ingress_from_its_creation_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)

    def output(*words: str) -> str:
        command = [*RunningProduct.executable(), *words, "--data-dir", str(tmp_path / "data")]
        return subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=True).stdout

    def run(*words: str) -> Any:
        return json.loads(output(*words, "--json"))

    run("organisations", "create", "Acme")
    run("apps", "create", "shop", "--organisation", "acme")
    made = run("ingress", "create", "stage", "--app", "shop", "--identity", "obs", "--name", "Main stage")
    assert made["streamKey"].startswith("stk_")
    assert (made["roomName"], made["participantName"]) == ("shop-stage", "Main stage")
    camera = "rtsp://viewer:hunter2@camera.example.com/1"
    pulled = run("ingress", "create", "door", "--app", "shop", "--type", "url", "--url", camera, "--start", "demand")
    assert (pulled["url"], pulled["start"]) == ("rtsp://***@camera.example.com/1", "demand")
    listed = run("ingress", "list", "--app", "shop")
    assert [one["ingressId"] for one in listed] == [made["ingressId"], pulled["ingressId"]]
    (row,) = [line for line in output("ingress", "list", "--app", "shop").splitlines() if " obs " in line]
    assert " inactive " in row
    assert run("ingress", "disable", made["ingressId"], "--app", "shop")["enabled"] is False
    assert run("ingress", "show", made["ingressId"], "--app", "shop")["state"]["status"] == "inactive"
    assert run("ingress", "rotate", made["ingressId"], "--app", "shop")["streamKey"] != made["streamKey"]
    run("ingress", "delete", made["ingressId"], "--app", "shop")
    assert [one["ingressId"] for one in run("ingress", "list", "--app", "shop")] == [pulled["ingressId"]]
