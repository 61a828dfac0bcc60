"""Install what this repository needs from Debian, where it is missing and we may; otherwise say what to install.

    python tools/system_packages.py chromium ffmpeg postgresql

Only the standard library is used, so it runs before anything is installed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

PROGRAMS: Final = {
    "chromium": ("chromium",),
    "ffmpeg": ("ffmpeg",),
    "g++": ("g++",),
    "curl": ("curl",),
    "gstreamer1.0-tools": ("gst-launch-1.0",),
    "gstreamer1.0-plugins-good": ("/usr/lib/*/gstreamer-1.0/libgstflv.so",),
    "gstreamer1.0-plugins-bad": ("/usr/lib/*/gstreamer-1.0/libgstrtmp2.so",),
    "gstreamer1.0-plugins-ugly": ("/usr/lib/*/gstreamer-1.0/libgstx264.so",),
    "gstreamer1.0-libav": ("/usr/lib/*/gstreamer-1.0/libgstlibav.so",),
    "gir1.2-gst-rtsp-server-1.0": ("/usr/lib/*/girepository-1.0/GstRtspServer-1.0.typelib",),
    "python3-gi": ("/usr/lib/python3/dist-packages/gi/__init__.py",),
    "libavformat-dev": ("/usr/include/*/libavformat/avformat.h",),
    "libavcodec-dev": ("/usr/include/*/libavcodec/avcodec.h",),
    "libavutil-dev": ("/usr/include/*/libavutil/avutil.h",),
    "pkg-config": ("pkg-config",),
    "systemd": ("systemd-analyze",),
    "redis-server": ("redis-server",),
    "postgresql": ("postgres", "/usr/lib/postgresql/*/bin/postgres"),
}
"""Package, and where a program of it is found: on the PATH, or as a pattern of paths."""
MODULES: Final = {"python3-venv": "ensurepip"}
"""Package, and the module of it that Debian leaves out of Python itself."""


def main() -> int:
    missing = [package for package in sys.argv[1:] if not _present(package)]
    if not missing:
        return 0
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.stderr.write(f"Not installed: {', '.join(missing)}; install with: sudo {' '.join(command)}\n")
        return 1
    sys.stderr.write(f"Installing {', '.join(missing)}\n")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update"], command):
        subprocess.run(step, check=True, env=environment, stdout=subprocess.DEVNULL)
    return 0


def _present(package: str) -> bool:
    if package in MODULES:
        return importlib.util.find_spec(MODULES[package]) is not None
    for place in PROGRAMS[package]:
        if place.startswith("/"):
            if any(Path("/").glob(place.removeprefix("/"))):
                return True
        elif shutil.which(place):
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
