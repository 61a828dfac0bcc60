"""H.264 as the media workers read it, without decoding it."""

from __future__ import annotations

import pytest

from stagedoor.streams.media.child.h264 import START_CODE, profile_of


@pytest.mark.parametrize(
    ("bytes_", "name", "decodable"),
    [
        ("42001f", "Baseline", True),
        ("42c01f", "Constrained Baseline", True),
        ("42e01f", "Constrained Baseline", True),
        ("4d401f", "Main", True),
        ("58a01f", "Extended", True),
        ("64001f", "High", True),
        ("64081f", "Progressive High", True),
        ("640c1f", "Constrained High", True),
        ("6e001f", "High 10", False),
        ("6e101f", "High 10 Intra", False),
        ("7a001f", "High 4:2:2", False),
        ("f4001f", "High 4:4:4 Predictive", False),
        ("f4101f", "High 4:4:4 Intra", False),
        ("2c101f", "CAVLC 4:4:4 Intra", False),
        ("ff001f", "profile 255", False),
    ],
)
def test_a_profile_has_the_name_of_the_standard(bytes_: str, name: str, decodable: bool) -> None:
    assert profile_of(START_CODE + b"\x67" + bytes.fromhex(bytes_) + b"\x99") == (name, decodable)
