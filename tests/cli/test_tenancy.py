"""`stagedoor organisations|apps|keys`, on an installation that does not run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stagedoor.cli import app
from stagedoor.kernel.errors import CallerMistake


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("STAGEDOOR_DATA_DIR", str(folder))
    return folder


def run(*arguments: str) -> Any:
    """What the verb printed as JSON; nothing when it says nothing."""
    done = CliRunner().invoke(app, [*arguments, "--json"] if arguments[1] not in {"delete", "revoke"} else arguments)
    if done.exception is not None:
        raise done.exception
    return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.mark.usefixtures("data_dir")
def test_the_same_verbs_as_the_api() -> None:
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


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize("wish", ["playbackPolicy", "=public", "unknown=1", "playbackPolicy=maybe"])
def test_a_setting_that_is_none_is_refused(wish: str) -> None:
    run("organisations", "create", "Acme")
    run("apps", "create", "clinic", "--organisation", "acme")
    before = run("apps", "show", "clinic")
    with pytest.raises(CallerMistake):
        run("apps", "change", "clinic", "--set", wish)
    assert run("apps", "show", "clinic") == before


def test_a_folder_that_is_none_is_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "mistyped"
    with pytest.raises(CallerMistake, match="There is no installation in"):
        run("apps", "list", "--data-dir", str(folder))
    assert not folder.exists()
