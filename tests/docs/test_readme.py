"""What the README shows works as it is pasted."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.product import RunningProduct

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_camera_from_key_to_picture(managed_product: RunningProduct, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    (pasted,) = (block for block in blocks if "streamKey" in block)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    environment = managed_product.environment() | {"STAGEDOOR_DATA_DIR": str(managed_product.data_dir)}
    environment.setdefault("PATH", os.defpath)
    done = subprocess.run(
        ["sh", "-eu", "-c", pasted.replace("http://127.0.0.1:8080", managed_product.url)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "picture.jpg").read_bytes() == (ROOT / "docs/images/door.jpg").read_bytes()


def test_its_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert pictures
    for picture in pictures:
        assert 0 < (ROOT / picture).stat().st_size < 200_000
