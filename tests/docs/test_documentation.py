"""The documentation says what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stagedoor.api import livekit_webhook
from stagedoor.api.openapi import build as build_document
from stagedoor.cli import make_app
from tests.support.offline import offline_application

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_pages_made_from_the_code_are_fresh() -> None:
    done = subprocess.run([sys.executable, "tools/docs.py", "check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_the_index_links_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target in re.findall(r"\]\(([^)#]+)", index.read_text())}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if "decisions" not in page.parts}
    assert pages - linked == {index}


def test_pages_named_in_the_code_exist() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    named: set[str] = set()
    for name in files:
        if name.endswith((".py", ".ts", ".tsx", ".yaml", ".toml")) and (ROOT / name).is_file():
            named |= set(re.findall(r"(?<![\w./-])docs/[\w/-]+\.md", (ROOT / name).read_text()))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    app = make_app()
    commands = set(re.findall(r"`?\bstagedoor ((?:[a-z]+)(?: [a-z]+)?)", "\n".join(_code(page.read_text()))))
    for command in commands:
        words = command.split()
        found = any(
            CliRunner().invoke(app, [*words[:count], "--help"]).exit_code == 0 for count in range(len(words), 0, -1)
        )
        assert found, f"there is no `stagedoor {command}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert set(re.findall(r"\bmake ([a-z]+)", "\n".join(_code(page.read_text())))) <= targets


async def test_addresses_exist(tmp_path: Path) -> None:
    async with offline_application(tmp_path) as application:
        document = build_document(application, "/api/v1")
        paths = {_pattern(path) for path in document["paths"]}
        paths |= {_pattern(str(getattr(route, "path", ""))) for route in application.routes}
    paths.add(_pattern(livekit_webhook.FIXED_PATH))
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"https?://127\.0\.0\.1:8080(/[^\s\"`?]+)", text))
    named |= set(re.findall(r"`(/[a-z][^`\s]*)`", text))
    assert named
    for address in named:
        assert any(re.fullmatch(pattern, address) for pattern in paths), f"there is nothing at {address}"


def _code(text: str) -> list[str]:
    """What the page shows as code: fenced blocks and inline."""
    return re.findall(r"```sh\n(.*?)```", text, flags=re.S) + re.findall(r"`([^`\n]+)`", text)


def _pattern(path: str) -> str:
    return re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path))
