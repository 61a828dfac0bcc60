"""nginx, which serves the files of a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_ports

from benchmarks.support import servers

_PLACES = ("/usr/sbin", "/usr/local/sbin")
"""Debian's package is there, which is often not on the path."""


def find_nginx() -> str | None:
    """The program; `None` where it is not installed."""
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_PLACES)))


@contextmanager
def nginx(program: str, folder: Path) -> Generator[servers.Server]:
    """One worker that serves what is below `folder`, as one would set it for media.

    It writes no log, uses `sendfile`, keeps files open and connections too, and gives `name.gz` in place of `name` to
    those who take gzip.
    """
    (port,) = free_ports(1)
    user = "user root;" if os.geteuid() == 0 else ""  # a folder of this run is its owner's alone
    state = folder.parent / "nginx"
    state.mkdir()
    temporary = "".join(
        f"{kind}_temp_path {state}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = state / "nginx.conf"
    config.write_text(f"""
        {user} worker_processes 1; pid {state}/pid; error_log {state}/error.log;
        events {{ worker_connections 4096; }}
        http {{
            {temporary} access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
            open_file_cache max=1000; gzip_static on; gzip_vary on; default_type video/mp4;
            types {{ application/vnd.apple.mpegurl m3u8; }}
            server {{ listen 127.0.0.1:{port}; root {folder}; add_header Access-Control-Allow-Origin *; }}
        }}
    """)
    command = [program, "-e", f"{state}/error.log", "-c", str(config), "-g", "daemon off;"]
    with servers.serving(command, port) as server:
        yield server
