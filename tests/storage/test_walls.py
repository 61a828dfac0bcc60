"""What is known of the database where: its engine in `storage/` alone, SQL in the folders' stores alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import stagedoor

PACKAGE: Final = Path(stagedoor.__file__).parent
ENGINES: Final = ("sqlite", "postgresql", "postgres")
QUERY_PARTS: Final = ("tenancy/tenant_filter.py",)
"""Not statements: the condition that stores of several folders put into theirs."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module outside of `storage/`, by its path in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith("storage/"):
            yield name, ast.parse(path.read_text(), name)


def is_store(name: str) -> bool:
    """`store.py`, and `…_store.py` where a folder has two."""
    return name.rsplit("/", 1)[-1].removesuffix(".py").split("_")[-1] == "store"


def imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_only_storage_knows_which_engine_it_is() -> None:
    found: list[str] = []
    for name, module in modules():
        found += [f"{name}: imports {one}" for one in imported(module) if one.startswith("sqlalchemy.dialects")]
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute) and node.attr == "dialect":
                found.append(f"{name}:{node.lineno}: asks for the dialect")
            if isinstance(node, ast.Compare) and any(
                isinstance(part, ast.Constant) and part.value in ENGINES for part in (node.left, *node.comparators)
            ):
                found.append(f"{name}:{node.lineno}: compares with an engine's name")
        found += [
            f"{name}: imports {one}"
            for one in imported(module)
            if one.startswith(("stagedoor.storage.sqlite", "stagedoor.storage.postgres"))
            and not name.startswith(("doctor/", "app/"))  # which say what is wrong with a file or a server
        ]
    assert not found


def test_sql_is_written_in_stores_alone() -> None:
    found: list[str] = []
    for name, module in modules():
        if is_store(name) or name in QUERY_PARTS:
            continue
        found += [
            f"{name}: imports {one}"
            for one in imported(module)
            if one.split(".")[0] == "sqlalchemy" and one != "sqlalchemy.exc"
        ]
        found += [
            f"{name}:{node.lineno}: runs a statement"
            for node in ast.walk(module)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in {("tx", "execute"), ("tx", "rows"), ("tx", "run"), ("tx", "connection")}
        ]
    assert not found
