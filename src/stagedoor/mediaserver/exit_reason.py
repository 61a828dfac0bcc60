"""Why LiveKit ended, in its own words.

Its exit code says nothing: `main` prints the error of a failed start to stdout as a plain line and ends with
0 (cmd/server/main.go). All other output is JSON, because our configuration asks for that.
"""

from __future__ import annotations

import json
from typing import Any, cast

_LONGEST = 400


def reason_in(output: str) -> str | None:
    """The reason in what LiveKit printed during one life, on one line; None when it gave none."""
    lines = output.splitlines()
    crash = next((line for line in lines if line.startswith(("panic:", "fatal error:"))), None)
    plain = [line.strip() for line in lines if line.strip() and not line.startswith("{")]
    return _short(crash or " ".join(plain))


def last_error_in(output: str) -> str | None:
    """The last error in the log, for a start that failed without a plain line.

    Not for a LiveKit that ran for a while: errors about single participants are part of its life.
    """
    for line in reversed(output.splitlines()):
        try:
            entry: Any = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict):
            continue
        fields = cast("dict[str, object]", entry)
        if fields.get("level") == "error":
            error = fields.get("error")
            return _short(f"{fields.get('msg')}: {error}" if error else str(fields.get("msg")))
    return None


def _short(text: str) -> str | None:
    if not text:
        return None
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
