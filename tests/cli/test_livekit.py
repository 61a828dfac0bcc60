"""`stagedoor livekit config`, beside an instance that runs and before there is one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.product import RunningProduct, clean_environment

pytestmark = pytest.mark.slow


def test_it_prints_what_runs(managed_product: RunningProduct) -> None:
    """Its ports were given by flags, which this command does not know."""
    done = subprocess.run(
        managed_product.command("livekit", "config"),
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=True,
    )
    printed = yaml.safe_load(done.stdout)
    runs = yaml.safe_load((managed_product.data_dir / "livekit" / "livekit.yaml").read_text())
    assert (printed["port"], printed["rtc"]["tcp_port"]) == (runs["port"], runs["rtc"]["tcp_port"])
    assert printed["webhook"] == runs["webhook"]


def test_it_prints_what_would_run(tmp_path: Path) -> None:
    command = [*RunningProduct.executable(), "livekit", "config", "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=True)
    assert yaml.safe_load(done.stdout)["port"] == 7880
