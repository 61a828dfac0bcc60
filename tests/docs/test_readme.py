"""What the README shows works as a new user pastes it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.ports import free_ports
from tests.support.product import RunningProduct

ROOT = Path(__file__).parents[2]


class ProductOfNewUser(RunningProduct):
    """Stagedoor on the data folder that it takes without any flag, in a home directory of its own."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def data_dir(self) -> Path:
        return self.home / ".local" / "share" / "stagedoor"


@pytest.fixture
def product_of_new_user(tmp_path: Path) -> Generator[ProductOfNewUser]:
    product = ProductOfNewUser(tmp_path, STAGEDOOR_RTMP_LISTEN=f"127.0.0.1:{free_ports(1)[0]}")
    product.home.mkdir()
    try:
        product.start()
        yield product
    finally:
        product.close()


@pytest.mark.slow
def test_every_block_of_use_works_as_pasted_in_a_new_terminal(product_of_new_user: ProductOfNewUser) -> None:
    product = product_of_new_user
    (clone := product.folder / "clone").mkdir()
    for name in ("docs", ".venv"):  # what a clone has after `make up`
        (clone / name).symlink_to(ROOT / name)
    section = (ROOT / "README.md").read_text().partition("## Use\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, flags=re.S)
    assert len(blocks) == 6
    # What differs from one user to the next: the address, the key, and that neither the stream of events nor the
    # encoder's ends.
    pasted = "".join(blocks).replace("http://127.0.0.1:8080", product.url).replace("sk_…", product.api_key)
    pasted = re.sub(r"^curl -sN .*\n", "", pasted, flags=re.M)
    pasted = pasted.replace(" --type url", " --json --type url").replace(" -f flv", " -t 3 -f flv")
    done = subprocess.run(
        ["sh", "-eu", "-c", pasted],
        cwd=clone,
        env={"HOME": str(product.home), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    decoder, answers, rest = json.JSONDecoder(), list[dict[str, object]](), done.stdout
    while rest.strip():
        answer, end = decoder.raw_decode(rest := rest.strip())
        answers.append(answer)
        rest = rest[end:]
    *answers, pulled = answers
    assert [sorted(answer) for answer in answers] == [["data"], ["data"], ["data", "page"]]
    assert pulled["url"] == "rtsp://***@camera.example.com/stream1"
    assert "ingress_began" in product.log, "FFmpeg has sent to the room"
    assert (clone / "picture.jpg").read_bytes() == (ROOT / "docs/images/door.jpg").read_bytes()


def test_its_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert pictures
    for picture in pictures:
        assert 0 < (ROOT / picture).stat().st_size < 200_000
