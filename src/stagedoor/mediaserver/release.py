"""The LiveKit release that Stagedoor is made for, and how its files are named."""

from __future__ import annotations

import platform
import sys

PINNED_VERSION = "1.13.5"
"""The LiveKit server that every behaviour Stagedoor relies on was read from and tried with."""

DEFAULT_BASE_URL = "https://github.com/livekit/livekit/releases/download"
"""Where the official archives are; a closed network sets a mirror with the same layout instead."""

CHECKSUMS_NAME = "checksums.txt"
"""LiveKit's .goreleaser.yaml: `checksum.name_template`."""

BINARY_NAME = "livekit-server"
"""LiveKit's .goreleaser.yaml: `builds.binary`."""

GO_PACKAGE = f"github.com/livekit/livekit-server/cmd/server@v{PINNED_VERSION}"
"""The module's path differs from the repository's; the program it makes is called `server`."""

_GOARCH = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "armv7",
}


def archive_name(system: str = sys.platform, machine: str | None = None) -> str | None:
    """The release archive for a platform, None when LiveKit publishes none for it.

    goreleaser's default name is project_version_os_arch; LiveKit's install-livekit.sh downloads by that name.
    Only Linux is answered: there is a Windows archive, but Stagedoor does not run there, and none for macOS.

    Args:
        system: As `sys.platform` spells it.
        machine: As `platform.machine()` spells it; this machine's when not given.
    """
    arch = _GOARCH.get((machine or platform.machine()).lower())
    if system != "linux" or arch is None:
        return None
    return f"livekit_{PINNED_VERSION}_linux_{arch}.tar.gz"
