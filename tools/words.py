"""Refuse words that a newcomer has to look up: in code, docstrings, comments, messages and documentation.

    python tools/words.py            lists each place, with the term to use instead

A word that is right in one place stands in `ALLOWED` with the file and a piece of the line.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]

WORDS: Final = {
    r"\bcan't\b": "cannot",
    r"\b(?:told|tells?|telling)\b": "notify, report, return, pass, or the noun of what is passed",
    r"\b(?:said|whence)\b": "reported, stated, or the noun",
    r"\b(?:some|no|any|every)body\b": "a participant, caller, viewer, client or process: say which",
    r"\bwho(?:m)?ever\b": "the caller, client or process that …",
    r"\bfor ever\b": "indefinitely, or until cancelled",
    r"\bof ours\b|\bof theirs\b": "this process's, Stagedoor's",
    r"\banew\b": "again",
    r"\bmend(?:s|ed|ing)?\b": "fix, repair",
    r"\bpatience\b": "timeout",
    r"\bgoodbye\b": "leave message",
    r"\bears?\b": "subscriber",
    r"\b(?:bouncer|doorkeeper|gatekeeper)s?\b": "ban enforcer, admission control",
    r"\bscribes?\b": "transcriber",
    r"\bslates?\b": "placeholder frame",
    r"\bcarriers?\b": "frame publisher",
    r"\b(?:lets?|letting) in\b": "admit",
    r"\bkept out\b|\bturned away\b|\bsent away\b": "refuse, reject, remove",
    r"\blook(?:s|ed|ing)? after\b": "supervise",
    r"\bhave an end put to\b": "end",
    r"\bas one likes\b": "any number of times",
}
"""A regular expression, and what to write instead."""

ALLOWED: Final[tuple[tuple[str, str], ...]] = (
    ("src/stagedoor/storage/migrations/versions/", ""),  # what has run does not change
    ("tools/words.py", ""),
)
"""Places that keep a word: the beginning of a path, and a piece of the line."""

LOG_EVENT: Final = re.compile(r"_log\.(?:debug|info|warning|error|exception)\(\s*f?\"([^\"]*)\"")
"""The static message of a log line, which is snake_case; what varies is a field."""

CHECKED: Final = ("src/stagedoor", "docs", "README.md", "CONTRIBUTING.md", "tools", "benchmarks", "web/src", "examples")
ENDINGS: Final = (".py", ".md", ".ts", ".tsx", ".html", ".css")


def main() -> int:
    pattern = re.compile("|".join(f"(?P<w{number}>{word})" for number, word in enumerate(WORDS)), re.IGNORECASE)
    advice = list(WORDS.values())
    listed = subprocess.run(["git", "ls-files", "-z", *CHECKED], cwd=ROOT, capture_output=True, text=True, check=True)
    found = 0
    for name in listed.stdout.split("\0"):
        if not name.endswith(ENDINGS) or not (ROOT / name).is_file():
            continue
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            for match in pattern.finditer(line):
                if any(name.startswith(path) and piece in line for path, piece in ALLOWED):
                    continue
                group = next(index for index in range(len(WORDS)) if match[f"w{index}"] is not None)
                sys.stdout.write(f"{name}:{number}: {match[0]!r}: write {advice[group]}\n")
                found += 1
        if name.endswith(".py"):
            for match in LOG_EVENT.finditer((ROOT / name).read_text()):
                if not re.fullmatch(r"[a-z][a-z0-9_]*", match[1]):
                    sys.stdout.write(f"{name}: the log event {match[1]!r} is not snake_case\n")
                    found += 1
    if found:
        sys.stdout.write(f"{found} places\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
