"""Are the pages built?"""

from __future__ import annotations

from typing import Final

from stagedoor.doctor.result import CheckResult, broken, ok
from stagedoor.kernel.errors import OperatorError
from stagedoor.pages import files

CHECK = "pages"
PAGES: Final = ("play", "embed", "meet", "publish", "account", "docs", "unavailable")


def check() -> CheckResult:
    """Look for every page that is served."""
    next_step = "Run `make pages` in the checkout, or install the wheel, which has them; then restart Stagedoor."
    try:
        folder = files.static_folder()
    except OperatorError:
        return broken(CHECK, "The pages are not built, so Stagedoor does not start.", next_step)
    missing = [page for page in PAGES if not (folder / f"{page}.html").is_file()]
    if missing:
        return broken(CHECK, f"These pages are missing in {folder}: {', '.join(missing)}.", next_step)
    return ok(CHECK, "The pages are built.")
