"""`stagedoor settings` shows no secret, wherever in a value it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagedoor.cli.settings import describe
from stagedoor.settings.resolve import resolve


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://AKIA:hunter2@bucket/prefix", "s3://********@bucket/prefix"),
        (
            "s3://bucket/x?region=eu&secret_access_key=hunter2&access_key_id=AKIA",
            "s3://bucket/x?region=eu&secret_access_key=********&access_key_id=********",
        ),
        ("az://box/p?sas_token=sv%3Dhunter2", "az://box/p?sas_token=********"),
        ("s3://bucket/prefix", "s3://bucket/prefix"),
    ],
)
def test_credentials_in_a_url_are_masked(tmp_path: Path, url: str, shown: str) -> None:
    rows = {row["name"]: row for row in describe(resolve({"data_dir": tmp_path, "objects_url": url}, {}))}
    assert rows["objects_url"]["value"] == shown
    assert "hunter2" not in str(rows)
