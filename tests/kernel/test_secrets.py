"""Secrets on disk, and sealing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from stagedoor.app.datafolder import DataFolder
from stagedoor.kernel.errors import OperatorError
from stagedoor.kernel.sealing import Sealer


def test_secrets_are_made_once_and_readable_by_the_owner_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    made = folder.secrets()
    assert DataFolder(tmp_path / "data").secrets() == made
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "secrets.json").stat().st_mode) == 0o600
    assert len(made.livekit_api_secret) >= 32  # LiveKit complains about less


def test_a_broken_secrets_file_is_not_replaced(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    (tmp_path / "secrets.json").write_text('{"livekit_api_key":')
    with pytest.raises(OperatorError, match="backup"):
        folder.secrets()
    assert (tmp_path / "secrets.json").read_text() == '{"livekit_api_key":'


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    assert first.try_hold()
    assert not second.try_hold()
    first.release()
    assert second.try_hold()
    second.release()


def test_what_is_sealed_opens_with_the_same_secret_only() -> None:
    sealed = Sealer("one").seal(b"an answer")
    assert b"an answer" not in sealed
    assert Sealer("one").open(sealed) == b"an answer"
    assert Sealer("two").open(sealed) is None
    assert Sealer("one").open(sealed[:-1]) is None
