"""Write deployment files: what the operator may have changed is not overwritten, secrets never are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stagedoor.deploy import envfile
from stagedoor.kernel.errors import CallerMistake, OperatorError
from stagedoor.kernel.secretfile import write_private

Outcome = Literal["written", "kept", "completed", "unchanged"]


@dataclass(frozen=True, slots=True)
class DeployFile:
    """A file to be written.

    Attributes:
        name: Under the folder.
        text: Its content.
        secret: Mode 0600, and never overwritten.
        variables: Of an environment file: those that an existing file lacks are added to it.
    """

    name: str
    text: str
    secret: bool = False
    variables: Mapping[str, str] | None = None


def write_all(folder: Path, wanted: Iterable[DeployFile], *, force: bool) -> dict[str, Outcome]:
    """Write the files, and say what became of each.

    Raises:
        CallerMistake: A file that is no secret was there and differs, and `force` was not given; nothing is written.
        OperatorError: The folder cannot be written.
    """
    found = list(wanted)
    for file in found:
        path = folder / file.name
        if not file.secret and not force and path.is_file() and path.read_text("utf-8") != file.text:
            raise CallerMistake(f"{path} is there and differs; move it away, or overwrite it with --force.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return {file.name: _write(folder / file.name, file) for file in found}
    except OSError as error:
        raise OperatorError(f"{folder} cannot be written: {error.strerror}.") from None


def _write(path: Path, file: DeployFile) -> Outcome:
    if file.secret:
        if path.exists():
            added = envfile.complete(path, file.variables) if file.variables else []
            return "completed" if added else "kept"
        write_private(path, file.text)
        return "written"
    if path.is_file() and path.read_text("utf-8") == file.text:
        return "unchanged"
    path.write_text(file.text, "utf-8")
    path.chmod(0o644)
    return "written"
