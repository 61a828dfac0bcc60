"""Run a helper program to its end and take what it printed; it ends with us, unlike a worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_KEPT_LINES = 200
_LINE_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Finished:
    """How a helper ended.

    Attributes:
        exit_code: Negative for the signal that ended it.
        output: The last lines of stdout and stderr together.
    """

    exit_code: int
    output: str

    def last_line(self) -> str:
        """The last line that says something, or the exit code when there is none."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.exit_code}"


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    timeout_seconds: float | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Finished:
    """Run `argv` to its end; cancelling or running out of time ends it with all its children.

    Raises:
        OSError: It could not be started.
        TimeoutError: It took longer than `timeout_seconds`.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
        # A group of its own: compilers start helpers, and ending the group ends them too.
        start_new_session=True,
        limit=_LINE_LIMIT_BYTES,
    )
    lines: list[str] = []
    try:
        async with asyncio.timeout(timeout_seconds):
            assert process.stdout is not None  # noqa: S101 - PIPE was asked for above
            async for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                lines.append(line)
                del lines[:-_KEPT_LINES]
                if on_line is not None:
                    on_line(line)
            exit_code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Finished(exit_code, "\n".join(lines))
