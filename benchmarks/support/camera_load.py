"""Cameras and their viewers as a load: a program in C, made from `camera_load.c` when the benchmark runs."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

import msgspec
import numpy as np
import simplejpeg

from benchmarks.support.cores import LOAD, on_core

_SOURCE: Final = Path(__file__).with_suffix(".c")
_STAMP: Final = b"\xff\xfe\x00\x12" + bytes(16)
"""A comment segment, which the load fills in frame by frame."""


class Counted(msgspec.Struct):
    """What the load counted.

    Attributes:
        sent: Frames that all cameras sent in the measured time.
        held: Frames that a camera could not send, because the server had not yet taken the one before.
        expected: Those frames times their viewers.
        received: How many of the expected ones came.
        skipped: Missing numbers between frames that came.
        disorder: Frames that were not newer than the one before.
        finished: Frames that came from the beginning of the measurement to its end, whenever they were sent.
        seconds: From the beginning to the last frame.
        p50_ms: Half of the frames came whole within this time from their sending.
        p99_ms: All but one in a hundred did.
        cpu: CPU seconds of the load itself.
    """

    sent: int
    held: int
    expected: int
    received: int
    skipped: int
    disorder: int
    finished: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Wire:
    """How to reach a server.

    Attributes:
        port: Of the server, on loopback.
        cameras: The HTTP request of each camera's WebSocket.
        viewers: The HTTP request for each camera's pictures.
        pull_port: Where the server fetches camera number `k` as `/k`, multipart; 0 where cameras push.
    """

    port: int
    cameras: list[bytes]
    viewers: list[bytes]
    pull_port: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """How many look at the cameras of a wire, how many pictures a second each camera sends, and for how long."""

    viewers: int
    fps: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What the load counted, and what it cost the server.

    Attributes:
        cpu: CPU seconds of the server while the load was measured.
        kernel: The share of them that the server spent in the kernel.
        memory_mb: Of the server at the end, with every camera and viewer there.
    """

    counted: Counted
    cpu: float
    kernel: float
    memory_mb: float

    @property
    def rate(self) -> float:
        """Frames delivered a second."""
        return self.counted.finished / self.counted.seconds

    @property
    def per_cpu_second(self) -> float:
        """Frames delivered for each CPU second of the server."""
        return self.counted.finished / self.cpu

    @property
    def delivered(self) -> float:
        """Percentage of the frames that came to each viewer who should have got them."""
        return 100 * self.counted.received / max(self.counted.expected, 1)

    @property
    def busy(self) -> float:
        """Share of the time for which the load itself was computing; near 1 it is what limits."""
        return self.counted.cpu / self.counted.seconds


class Server(Protocol):
    """What a server has used so far: CPU seconds, those in the kernel, and MB of memory now."""

    @property
    def cpu(self) -> Callable[[], float]: ...

    @property
    def kernel(self) -> Callable[[], float]: ...

    @property
    def memory(self) -> Callable[[], float]: ...


def compile_c(source: Path, folder: Path) -> Path:
    """The load generator in C.

    Raises:
        RuntimeError: There is no C compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise RuntimeError("a C compiler is needed (cc)")
    binary = folder / source.stem
    subprocess.run([compiler, "-std=gnu17", "-O2", "-o", str(binary), str(source)], check=True)
    return binary


def picture(size: int) -> bytes:
    """A JPEG of 640x480 and not quite `size` bytes, which begins with the comment that the load fills in."""
    noise = np.random.default_rng(20).normal(0, 18, (480, 640, 3))
    slope = np.linspace(40, 210, 640)[None, :, None]
    pixels = np.ascontiguousarray((slope + noise).clip(0, 255).astype(np.uint8))
    fitting = (simplejpeg.encode_jpeg(pixels, quality=quality) for quality in range(95, 1, -1))
    best = next(jpeg for jpeg in fitting if len(jpeg) + len(_STAMP) <= size)
    return best[:2] + _STAMP + best[2:]


class CameraLoad:
    """The program, ready to be run.

    Args:
        folder: Where it is made.
        jpeg: What each camera sends.
    """

    def __init__(self, folder: Path, jpeg: bytes) -> None:
        self._program = compile_c(_SOURCE, folder)
        self._jpeg = folder / "frame.jpg"
        self._jpeg.write_bytes(jpeg)

    def show(self, wire: Wire, scene: Scene, server: Server) -> Shown:
        """Connect the cameras and viewers of a scene, measure, and let go of them.

        Raises:
            RuntimeError: The server did not do its work; what went wrong is on the error output.
        """
        with tempfile.TemporaryDirectory() as folder:
            cameras, viewers = Path(folder) / "cameras", Path(folder) / "viewers"
            cameras.write_bytes(b"".join(request + b"\0" for request in wire.cameras))
            viewers.write_bytes(b"".join(request + b"\0" for request in wire.viewers))
            words = [wire.port, wire.pull_port, cameras, viewers, scene.viewers, scene.fps, scene.seconds, self._jpeg]
            with on_core(LOAD):
                process = subprocess.Popen(
                    [self._program, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            with process:
                assert process.stdin is not None
                assert process.stdout is not None
                _expect(process.stdout, b"cameras\n")
                _go(process.stdin)
                _expect(process.stdout, b"ready\n")
                before, in_kernel = server.cpu(), server.kernel()
                _go(process.stdin)
                line = process.stdout.readline()
                spent, held = server.cpu() - before, server.memory()
                share = (server.kernel() - in_kernel) / spent
                if not line:
                    raise RuntimeError("cameras or viewers lost their connection")
                _go(process.stdin)
        return Shown(msgspec.json.decode(line, type=Counted), spent, share, held)


def _expect(output: IO[bytes], word: bytes) -> None:
    if output.readline() != word:
        raise RuntimeError(f"cameras and viewers could not begin ({word.decode().strip()})")


def _go(pipe: IO[bytes]) -> None:
    pipe.write(b"go\n")
    pipe.flush()
