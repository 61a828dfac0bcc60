"""Refuse words that a newcomer has to look up: in code, docstrings, comments, messages and documentation.

    python tools/words.py            lists each place, with the term to use instead

A word that is right in one place stands in `ALLOWED` with the file and a piece of the line. In tests the names of
functions and classes, docstrings and comments are checked; other texts there are data. Names are read as words:
`kept_out` is `kept out`.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
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
    r"\b(?:some|any|every)one\b": "a participant, caller, viewer, client or process: say which",
    r"\bspoil(?:s|t|ed|ing)?\b": "fail, break",
    r"\bforgiv(?:e|es|en|ing)\b": "clear, reset",
    r"\bkeepers?\b": "supervisor, store, registry",
    r"\btickets?\b": "join token",
    r"\btending\b": "supervising, watchdog",
    r"\bbites?\b": "batch",
    r"\bin peace\b": "unchanged, alone",
    r"\bthe power goes\b": "the device loses power",
    r"\bhas to do with\b": "uses",
}
"""A regular expression, and what to write instead."""

OPENINGS: Final = {
    r"(?:It|They|Them)\b": "begin with what the function does, or with its subject",
}
"""How no docstring of the package begins."""

DESCRIPTIONS: Final = {
    r"(?:What it|What they|It|They) ": "name the subject: the scopes of the key, the tracks of the participant",
    r"(?:Only th(?:is|ese)(?: one)?|More|Where to|What about|Not before)[.,]": "say what it is, or which are listed",
}
"""How no description of a field or parameter in the API's contract begins."""

ALLOWED: Final[tuple[tuple[str, str], ...]] = (
    ("src/stagedoor/storage/migrations/versions/", ""),  # what has run does not change
    ("tools/words.py", ""),
    ("src/stagedoor/streams/media/child/http_source.py", "def tell("),  # Python's name of it
    ("web/src/meet/", "everyone"),  # what people read beside the chat
    ("src/stagedoor/usage/store.py", "usage_told"),  # the table keeps its name
    ("src/stagedoor/streams/settings.py", "camera_slate"),  # the setting's former name goes on to work
)
"""Places that keep a word: the beginning of a path, and a piece of the line."""

LOG_EVENT: Final = re.compile(r"_log\.(?:debug|info|warning|error|exception)\(\s*f?\"([^\"]*)\"")
"""The static message of a log line, which is snake_case; what varies is a field."""

CHECKED: Final = (
    "src/stagedoor",
    "docs",
    "README.md",
    "CONTRIBUTING.md",
    "tools",
    "benchmarks",
    "web/src",
    "examples",
    "tests",
)
ENDINGS: Final = (".py", ".md", ".ts", ".tsx", ".html", ".css")


def lines_of(name: str, text: str) -> Iterable[tuple[int, str]]:
    """The lines to check, by number: all of them, and of a test its names, docstrings and comments."""
    lines = enumerate(text.splitlines(), 1)
    return _of_test(text) if name.startswith("tests/") and name.endswith(".py") else lines


def _of_test(text: str) -> Iterator[tuple[int, str]]:
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.NAME and before in {"def", "class"}):
            yield token.start[0], token.string
        if token.type not in {tokenize.NL, tokenize.COMMENT}:
            before = token.string
    for node, docstring in _docstrings(text):
        yield from enumerate(docstring.splitlines(), node.lineno)


def _docstrings(text: str) -> Iterator[tuple[ast.Expr, str]]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            yield first, first.value.value


def openings(name: str, text: str) -> Iterator[tuple[int, str, str]]:
    """The docstrings and descriptions that begin without their subject: line, beginning, advice."""
    if not name.startswith("src/"):
        return
    for node, docstring in _docstrings(text):
        for pattern, advice in OPENINGS.items():
            if match := re.match(pattern, docstring):
                yield node.lineno, match[0], advice
    for pattern, advice in DESCRIPTIONS.items():
        for match in re.finditer(rf'description="({pattern})', text):
            yield text.count("\n", 0, match.start()) + 1, match[1], advice


def main() -> int:
    pattern = re.compile("|".join(f"(?P<w{number}>{word})" for number, word in enumerate(WORDS)), re.IGNORECASE)
    advice = list(WORDS.values())
    listed = subprocess.run(["git", "ls-files", "-z", *CHECKED], cwd=ROOT, capture_output=True, text=True, check=True)
    found = 0
    for name in listed.stdout.split("\0"):
        if not name.endswith(ENDINGS) or not (ROOT / name).is_file():
            continue
        text = (ROOT / name).read_text()
        for number, line in lines_of(name, text):
            for match in pattern.finditer(line.replace("_", " ")):
                if any(name.startswith(path) and piece in line for path, piece in ALLOWED):
                    continue
                group = next(index for index in range(len(WORDS)) if match[f"w{index}"] is not None)
                sys.stdout.write(f"{name}:{number}: {match[0]!r}: write {advice[group]}\n")
                found += 1
        if name.endswith(".py"):
            for number, beginning, advised in openings(name, text):
                sys.stdout.write(f"{name}:{number}: begins with {beginning!r}: {advised}\n")
                found += 1
            for match in LOG_EVENT.finditer(text):
                if not re.fullmatch(r"[a-z][a-z0-9_]*", match[1]):
                    sys.stdout.write(f"{name}: the log event {match[1]!r} is not snake_case\n")
                    found += 1
    if found:
        sys.stdout.write(f"{found} places\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
