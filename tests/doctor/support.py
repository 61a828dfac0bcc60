"""Run the real command, and start a product whose LiveKit is set up wrongly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.support.product import RunningProduct, clean_environment

Findings = dict[str, dict[str, str]]


def run_doctor(*arguments: str, **environment: str) -> tuple[int, Findings]:
    """`stagedoor doctor --json …`: its exit code, and the findings by check."""
    done = subprocess.run(
        [sys.executable, "-m", "stagedoor", "doctor", "--json", *arguments],
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    assert all(set(finding) == {"check", "status", "finding", "next"} for finding in found)
    assert all(finding["finding"] and finding["next"] for finding in found)
    by_check = {finding["check"]: finding for finding in found}
    assert len(by_check) == len(found)
    return done.returncode, by_check


def examine(product: RunningProduct) -> tuple[int, Findings]:
    """doctor on a running product, with the settings that its operator has."""
    return run_doctor("--data-dir", str(product.data_dir), **product.environment())


@contextmanager
def external(folder: Path, change: Callable[[dict[str, Any]], None], **environment: str) -> Generator[RunningProduct]:
    """A product beside an external LiveKit whose configuration `change` has altered."""
    folder.mkdir(parents=True, exist_ok=True)
    product = RunningProduct(folder, "external", **environment)
    file = folder / "external-livekit.yaml"
    config = yaml.safe_load(file.read_text())
    change(config)
    file.write_text(yaml.safe_dump(config))
    try:
        product.start()
        yield product
    finally:
        product.close()
