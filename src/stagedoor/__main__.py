"""`python -m stagedoor` is the `stagedoor` command."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    """The `stagedoor` command. SIGTERM is a wish to end from the first moment on, also while it is being loaded."""
    signal.signal(signal.SIGTERM, _end)
    gc.disable()  # a command is over before there is garbage; `up` turns it on when it has started
    # Else pydantic reads the entry points of every installed package, a fiftieth of a start, and there is no plugin.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from stagedoor.cli import main as cli

    cli()


if __name__ == "__main__":
    main()
