"""`stagedoor organisations|apps|keys`, on an installation that does not run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import RunningProduct, clean_environment

pytestmark = pytest.mark.slow
Run = Callable[..., Any]


class Refused(Exception):
    """The verb ended with exit code 2, and this sentence."""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def run(data_dir: Path) -> Run:
    """Runs a verb: what it printed as JSON, or nothing."""

    def one(*arguments: str, folder: Path = data_dir) -> Any:
        words = arguments if arguments[1] in {"delete", "revoke"} else (*arguments, "--json")
        command = [*RunningProduct.executable(), *words, "--data-dir", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=False)
        if done.returncode == 2:
            raise Refused(done.stderr)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return one


def test_the_same_verbs_as_the_api(run: Run) -> None:
    organisation = run("organisations", "create", "Acme")
    assert run("organisations", "show", "acme") == organisation
    assert run("organisations", "change", "acme", "--name", "Acme Ltd")["name"] == "Acme Ltd"
    assert [found["slug"] for found in run("organisations", "list")] == ["acme"]

    run("apps", "create", "clinic", "--organisation", "acme")
    changed = run("apps", "change", "clinic", "--set", "playbackPolicy=public", "--set", "maxTokenTtl=12h")
    assert (changed["settings"]["playbackPolicy"], changed["settings"]["maxTokenTtl"]) == ("public", "12h")
    run("apps", "change", "clinic", "--set", 'frameAncestors=["https://www.example.com"]')
    assert run("apps", "show", "clinic")["settings"]["frameAncestors"] == ["https://www.example.com"]
    assert run("apps", "change", "clinic", "--set", "frameAncestors=null")["settings"]["frameAncestors"] is None

    key = run("keys", "create", "backend", "--scope", "tokens:write", "--app", "clinic")
    assert key["key"].startswith("sk_")
    after = run("keys", "change", key["id"], "--name", "door", "--scope", "rooms:read")
    assert (after["name"], after["scopes"]) == ("door", ["rooms:read"])
    assert run("keys", "show", key["id"]) == after
    run("keys", "revoke", key["id"])
    assert run("keys", "list") == []


def test_a_setting_that_is_none_is_refused(run: Run) -> None:
    run("organisations", "create", "Acme")
    run("apps", "create", "clinic", "--organisation", "acme")
    before = run("apps", "show", "clinic")
    for wish in ("playbackPolicy", "unknown=1", "playbackPolicy=maybe"):
        with pytest.raises(Refused):
            run("apps", "change", "clinic", "--set", wish)
    assert run("apps", "show", "clinic") == before


def test_a_folder_that_is_none_is_not_made(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mistyped"
    with pytest.raises(Refused, match="There is no installation in"):
        run("apps", "list", folder=folder)
    assert not folder.exists()
