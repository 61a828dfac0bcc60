"""Build LiveKit from source: four minutes on two cores, and no prebuilt binary from anywhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from stagedoor.mediaserver.failure import InstallAttemptFailed, os_reason
from stagedoor.mediaserver.release import BINARY_NAME, GO_PACKAGE, PINNED_VERSION
from stagedoor.mediaserver.toolchain import find_toolchain, go_environment
from stagedoor.processes.command import run

_REPORT_EVERY_SECONDS = 5.0


async def build_binary(folder: Path, cache_dir: Path, progress: Callable[[str], None]) -> Path:
    """Build the pinned LiveKit; the binary lies in `folder` afterwards.

    Go verifies every module it downloads against the checksum database, unless the operator turned that off.

    Args:
        folder: An empty scratch folder, on the file system where the binary is kept.
        cache_dir: Where the toolchain and its caches go when the machine has no Go of its own.
        progress: Called with a line of progress every few seconds.

    Raises:
        InstallAttemptFailed: No toolchain, no module, no space, or a build that ended with an error.
    """
    toolchain = await find_toolchain(cache_dir, progress)
    progress(f"Building LiveKit {PINNED_VERSION} with {toolchain.version}; about 4 minutes on two cores")
    # CGO_ENABLED=0 as in LiveKit's .goreleaser.yaml: the machine then needs no C compiler.
    settings = {"GOBIN": str(folder), "CGO_ENABLED": "0"}
    if toolchain.ours:
        home = cache_dir / "go"
        settings |= {
            "GOPATH": str(home),
            "GOMODCACHE": str(home / "mod"),
            "GOCACHE": str(home / "build"),
        }
    counted = _Counted()
    ticker = asyncio.create_task(_report(counted, progress), name="livekit-build-progress")
    try:
        done = await run(
            [str(toolchain.go), "install", "-v", GO_PACKAGE],
            env=go_environment(settings),
            on_line=counted.line,
        )
    except OSError as error:
        raise InstallAttemptFailed(f"{toolchain.go} could not be started ({os_reason(error)})") from error
    finally:
        ticker.cancel()
    if done.exit_code != 0:
        raise InstallAttemptFailed(f"`go install {GO_PACKAGE}` failed ({_reason(done.output) or done.last_line()})")
    built = folder / "server"
    try:
        return await asyncio.to_thread(built.rename, folder / BINARY_NAME)
    except OSError as error:
        raise InstallAttemptFailed(f"`go install` left no program in {folder} ({os_reason(error)})") from error


class _Counted:
    """Counts the output of `go install -v`: a package a line, `go: downloading …` before."""

    def __init__(self) -> None:
        self.packages = 0
        self.modules = 0

    def line(self, text: str) -> None:
        if text.startswith("go: downloading "):
            self.modules += 1
        elif text and not text.startswith(("go: ", "#", "\t", " ")):
            self.packages += 1


async def _report(counted: _Counted, progress: Callable[[str], None]) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(_REPORT_EVERY_SECONDS)
        seconds = time.monotonic() - began
        if counted.packages:
            progress(f"Building LiveKit: {counted.packages} packages compiled, {seconds:.0f} s")
        else:
            progress(f"Fetching LiveKit's source: {counted.modules} modules, {seconds:.0f} s")


def _reason(output: str) -> str | None:
    """The line that explains a failed build; the last one is often only `too many errors`."""
    marks = ("no space left", "dial tcp", "no such host", "i/o timeout", "checksum mismatch", "requires go")
    for line in output.splitlines():
        if any(mark in line for mark in marks):
            return line.strip()
    return None
