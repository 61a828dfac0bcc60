"""Find `livekit-server`, or get it once and keep it for every later run."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from stagedoor.kernel.errors import CallerMistake, OperatorError
from stagedoor.mediaserver.download import download_binary
from stagedoor.mediaserver.failure import InstallAttemptFailed, os_reason
from stagedoor.mediaserver.gobuild import build_binary
from stagedoor.mediaserver.release import BINARY_NAME, DEFAULT_BASE_URL, PINNED_VERSION, archive_name
from stagedoor.processes.command import run
from stagedoor.processes.environment import environment_of_child
from stagedoor.processes.filelock import held
from stagedoor.processes.scratch import remove_tree, scratch_folder

__all__ = ["DEFAULT_BASE_URL", "PINNED_VERSION", "binary_version", "ensure_binary", "find_binary"]

_log = structlog.get_logger()


def cached_path(cache_dir: Path) -> Path:
    """Where the pinned binary is kept: one folder a version, so that an upgrade replaces nothing in use."""
    return cache_dir / "livekit" / PINNED_VERSION / BINARY_NAME


def find_binary(explicit: Path | None, cache_dir: Path) -> Path | None:
    """The `livekit-server` to use: the operator's, the PATH's, the cache's; None when there is none.

    Raises:
        CallerMistake: `explicit` is given and is not a program that can be run.
    """
    if explicit is not None:
        if not _runnable(explicit):
            raise CallerMistake(
                f"There is no program that can be run at {explicit}; give the path of a livekit-server, or"
                " leave the setting out and Stagedoor gets LiveKit by itself."
            )
        return explicit.absolute()
    if on_path := shutil.which(BINARY_NAME):
        return Path(on_path).absolute()
    cached = cached_path(cache_dir)
    return cached.absolute() if _runnable(cached) else None


async def ensure_binary(
    explicit: Path | None, cache_dir: Path, download_base_url: str, progress: Callable[[str], None]
) -> Path:
    """`find_binary`, or else download the official release, or else build it with Go; kept in `cache_dir`.

    Several processes may call this at once: one works, the others wait and then find its result.

    Args:
        explicit: The operator's own binary; nothing is ever downloaded when it is given.
        cache_dir: Stagedoor's cache, shared by all data folders of the user.
        download_base_url: A folder with LiveKit's releases in it, `DEFAULT_BASE_URL` or a mirror.
        progress: Called with a line of progress.

    Raises:
        CallerMistake: `explicit` cannot be run.
        OperatorError: Neither way worked; the sentence says why for each and what to do.
    """
    found = await asyncio.to_thread(find_binary, explicit, cache_dir)
    if found is not None:
        return found
    target = await asyncio.to_thread(cached_path(cache_dir).absolute)
    try:
        await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
        async with held(
            target.parent / ".lock",
            lambda waited: progress(f"Another Stagedoor is getting LiveKit {PINNED_VERSION}; waiting, {waited:.0f} s"),
        ):
            if await asyncio.to_thread(_runnable, target):
                return target
            await _get_into(target, cache_dir, download_base_url, progress)
    except OSError as error:
        raise OperatorError(
            f"LiveKit cannot be kept in {target.parent} ({os_reason(error)}); free some space there, or set"
            " another cache folder."
        ) from error
    progress(f"LiveKit {PINNED_VERSION} is at {target}")
    return target


async def binary_version(path: Path) -> str:
    """The version that a LiveKit binary reports, such as `1.13.5`.

    Raises:
        OperatorError: It cannot be started, or it is not a livekit-server.
    """
    try:
        done = await run([str(path), "--version"], env=environment_of_child(), timeout_seconds=30)
    except OSError as error:
        why = "no answer in 30 s" if isinstance(error, TimeoutError) else os_reason(error)
        raise OperatorError(
            f"{path} does not run on this machine ({why}); give the path of a livekit-server that does."
        ) from error
    words = done.output.split()
    # "livekit-server version 1.13.5", LiveKit's cmd/server/main.go with urfave/cli's default printer.
    if done.exit_code != 0 or words[:2] != [BINARY_NAME, "version"] or len(words) < 3:
        raise OperatorError(f"{path} is not a livekit-server; give the path of one.")
    return words[2]


async def _get_into(target: Path, cache_dir: Path, base_url: str, progress: Callable[[str], None]) -> None:
    # A process that was killed while it held the lock left its partial files; no other process can be using them.
    for stale in await asyncio.to_thread(lambda: list(target.parent.glob(".partial-*"))):
        await asyncio.to_thread(remove_tree, stale)
    archive = archive_name()
    reasons: list[str] = []
    if archive is None:
        reasons.append("LiveKit publishes no archive for this platform")
    else:
        try:
            await _one_way(target, lambda folder: download_binary(base_url, archive, folder, progress))
        except InstallAttemptFailed as error:
            _log.warning("livekit_download_failed", reason=str(error))
            progress(f"The download did not work: {error}")
            reasons.append(str(error))
        else:
            return
    try:
        await _one_way(target, lambda folder: build_binary(folder, cache_dir, progress))
    except InstallAttemptFailed as error:
        reasons.append(str(error))
        raise OperatorError(
            f"LiveKit {PINNED_VERSION} could not be installed: {'; '.join(reasons)}; put a {BINARY_NAME} on"
            " the PATH, or set a download address that this machine can reach."
        ) from error


async def _one_way(target: Path, get: Callable[[Path], Awaitable[Path]]) -> None:
    """Get the binary into a folder beside the target, see that it runs, and move it there in one step."""
    async with scratch_folder(target.parent, ".partial-") as folder:
        binary = await get(folder)
        try:
            version = await binary_version(binary)
        except OperatorError as error:
            raise InstallAttemptFailed("what it gave is not a livekit-server that runs on this machine") from error
        if version != PINNED_VERSION:
            raise InstallAttemptFailed(f"what it gave is LiveKit {version} instead of {PINNED_VERSION}")
        await asyncio.to_thread(os.replace, binary, target)


def _runnable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
