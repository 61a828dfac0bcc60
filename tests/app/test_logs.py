"""Logs hold what happened: no values of variables, no controls for a terminal."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from stagedoor.app.logs import configure
from stagedoor.settings.resolve import resolve

SECRET = "sk_" + "a-secret-that-no-log-may-hold"
ESCAPES = "\x1b]0;title\x07\x1b[2J\x9b31m\u2028\u202e\ud800"


@pytest.fixture(params=["console", "json"])
def logged(
    request: pytest.FixtureRequest, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Generator[Callable[[], str]]:
    """What was written, in both formats."""
    handlers, level = list(logging.root.handlers), logging.root.level
    with (tmp_path / "log").open("w", encoding="utf-8", errors="surrogatepass") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        configure(resolve({"data_dir": tmp_path, "log_format": request.param}, {}).settings)

        def read() -> str:
            stream.flush()
            return (tmp_path / "log").read_text(encoding="utf-8", errors="surrogatepass")

        yield read
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def fail(authorization: str) -> None:
    headers = {"authorization": f"Bearer {authorization}"}
    raise ValueError(len(headers))


@pytest.mark.parametrize("foreign", [False, True], ids=["our logger", "a library's"])
def test_a_traceback_has_no_values(logged: Callable[[], str], foreign: bool) -> None:
    try:
        fail(SECRET)
    except ValueError as error:
        if foreign:
            logging.getLogger("uvicorn.error").exception("a request failed")
        else:
            structlog.get_logger().error("a request failed", exc_info=error)
    text = logged()
    assert "in fail" in text
    assert "ValueError" in text
    assert SECRET not in text
    assert len(text) < 5_000


def test_controls_are_escaped(logged: Callable[[], str]) -> None:
    structlog.get_logger().warning("odd", path=ESCAPES, parts=[ESCAPES], error=ValueError(ESCAPES))
    logging.getLogger("library").warning("it got %s", ESCAPES)
    try:
        int(ESCAPES)
    except ValueError:
        structlog.get_logger().exception("odd")
    text = logged()
    assert "title" in text
    assert not set(text) & set(ESCAPES.replace("]0;title", "").replace("[2J", "").replace("31m", ""))


def test_of_an_object_its_class_is_logged(logged: Callable[[], str], tmp_path: Path) -> None:
    class Scope:
        def __repr__(self) -> str:
            return SECRET

    values: dict[str, Any] = {"scope": Scope(), "listed": [Scope()], "named": {"a": Scope()}, "key": SecretStr(SECRET)}
    structlog.get_logger().warning("odd", folder=tmp_path, count=3, **values)
    text = logged()
    assert SECRET not in text
    assert "<Scope>" in text
    assert str(tmp_path) in text
    if text.startswith("{"):
        assert json.loads(text)["count"] == 3
