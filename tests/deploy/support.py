"""Run `stagedoor deploy`, and run what the written files say without systemd and without containers."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typer.testing import CliRunner

from stagedoor.app import logs
from stagedoor.cli import make_app
from stagedoor.kernel.errors import OperatorError
from tests.support.product import clean_environment, wait_for_port


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    returncode: int
    stderr: str


def deploy(*arguments: str, **environment: str) -> Done:
    """`stagedoor deploy …` in this process, whose logging stays as it is."""
    given = clean_environment() | environment
    with patch.dict(os.environ, given, clear=True), patch.object(logs, "configure"):
        result = CliRunner().invoke(make_app(), ["deploy", *arguments])
    if isinstance(result.exception, OperatorError):
        return Done(result.exception.exit_code, str(result.exception))
    return Done(result.exit_code, result.stderr)


def variables(file: Path) -> dict[str, str]:
    """An environment file as a shell reads it."""
    script = f'set -a; . "{file}"; exec env -0'
    done = subprocess.run(["sh", "-c", script], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True)
    pairs = (entry.decode().partition("=") for entry in done.stdout.split(b"\0") if entry)
    return {name: value for name, _, value in pairs if name not in {"PATH", "PWD", "_", "SHLVL", "OLDPWD"}}


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """As Docker Compose fills `${NAME}` and `${NAME:?}` and unescapes `$$`; an unknown name is an error."""
    filled = re.sub(r"(?<!\$)\$\{(\w+)(:\?)?\}", lambda match: values[match[1]], text)
    return filled.replace("$$", "$")


@contextmanager
def process(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Generator[subprocess.Popen[str]]:
    """A process whose standard output can be read, ended afterwards."""
    with log.open("a") as stderr:
        child = subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        assert child.stdout is not None
        child.stdout.close()


@contextmanager
def livekit(command: Sequence[str], environment: Mapping[str, str], port: int, log: Path) -> Generator[None]:
    """A LiveKit that answers."""
    with log.open("a") as output:
        child = subprocess.Popen(command, env=dict(environment), stdout=output, stderr=output)
    try:
        wait_for_port(port)
        yield
    finally:
        child.kill()
        child.wait()


def ready_line(child: subprocess.Popen[str], log: Path) -> dict[str, Any]:
    """What `stagedoor up --json` prints when everything answers."""
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, log.read_text()
    return json.loads(line)
