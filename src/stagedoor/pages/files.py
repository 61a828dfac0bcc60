"""The files that Vite made, read once: pages with a marker where their configuration goes, and hashed assets."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec

from stagedoor.kernel.errors import OperatorError
from stagedoor.pages.kinds import PageKind

MARKER: Final = "<!--stagedoor-config-->"


def static_folder() -> Path:
    """Where the built pages are.

    Raises:
        OperatorError: They were not built.
    """
    folder = Path(str(files("stagedoor.pages"))) / "static"
    if not (folder / "play.html").is_file():
        raise OperatorError("The pages are not built; run `make pages` in the checkout, or install the wheel.")
    return folder


@lru_cache(maxsize=8)
def _template(kind: PageKind) -> str:
    return (static_folder() / f"{kind}.html").read_text()


def page(kind: PageKind, config: dict[str, Any]) -> bytes:
    """The page with its configuration, as data that no browser runs."""
    data = msgspec.json.encode({"page": kind, **config}).decode()
    # The only characters with which data could end the script element that it stands in.
    data = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    script = f'<script type="application/json" id="stagedoor-config">{data}</script>'
    return _template(kind).replace(MARKER, script).encode()
