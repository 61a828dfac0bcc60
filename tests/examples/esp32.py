"""The sketch for the ESP32-CAM as a program of this machine: compiled with stand-ins for the board and the library."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
SKETCH = ROOT / "examples" / "esp32-cam"
STUBS = Path(__file__).parent / "arduino_stubs"


def build(folder: Path, **values: str | int) -> Path:
    """The sketch with these values in its `config.h`, as a program; the compiler accepts no warning."""
    copy = folder / "esp32-cam"
    shutil.copytree(SKETCH, copy)
    config = (copy / "config.h").read_text()
    for name, value in values.items():
        told = f'"{value}"' if re.search(rf'^#define {name} "', config, flags=re.M) else str(value)
        config, count = re.subn(rf"^#define {name} .*$", f"#define {name} {told}", config, flags=re.M)
        assert count == 1, name
    (copy / "config.h").write_text(config)
    return compiled(copy)


def trusting(program_folder: Path, certificate: str) -> None:
    """Put another root certificate into a copy's `config.h`."""
    file = program_folder / "config.h"
    text = re.sub(r'R"PEM\(.*?\)PEM"', lambda _: f'R"PEM(\n{certificate})PEM"', file.read_text(), flags=re.S)
    file.write_text(text)


def compiled(folder: Path) -> Path:
    """The program of a copy of the sketch."""
    program = folder / "esp32-cam"
    strict = ("-std=gnu++2b", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined")
    sources = ("-x", "c++", str(folder / "esp32-cam.ino"), str(STUBS / "main.cpp"))
    done = subprocess.run(
        ["g++", *strict, f"-I{STUBS}", "-include", "Arduino.h", *sources, "-o", str(program)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return program


def pictures(folder: Path, count: int = 4) -> Path:
    """A folder of small JPEG files that differ."""
    folder.mkdir()
    for number in range(count):
        made = BytesIO()
        Image.new("RGB", (160, 120), (60 * number, 80, 200)).save(made, "JPEG")
        (folder / f"{number}.jpg").write_bytes(made.getvalue())
    return folder


class Board:
    """A running sketch, and what it wrote to its serial port."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().strip())

    def waits(self) -> list[tuple[int, int]]:
        """Why it was disconnected, and for how many milliseconds it then stays away."""
        found = (re.fullmatch(r"disconnected: code (\d+), .*; again in (\d+) ms", line) for line in self.lines)
        return [(int(match[1]), int(match[2])) for match in found if match]


@asynccontextmanager
async def board(program: Path, frames: Path, *, clock: int = 1, psram: bool = True) -> AsyncGenerator[Board]:
    """The program, running; its clock may go faster than ours."""
    environment = os.environ | {"STUB_FRAMES": str(frames), "STUB_CLOCK": str(clock)}
    if not psram:
        environment["STUB_NO_PSRAM"] = "yes"
    process = await asyncio.create_subprocess_exec(str(program), env=environment, stdout=asyncio.subprocess.PIPE)
    made = Board(process)
    reading = asyncio.create_task(made.read())
    try:
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
