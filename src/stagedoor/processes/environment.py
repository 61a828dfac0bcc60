"""The environment of child processes: a list of names, and not all that we have.

Our own environment holds the database's URL, the metrics token and the cloud's keys. `/proc/<pid>/environ` keeps what a
child was started with for as long as it lives, and children read what strangers send.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

_PASSED_ON: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH"),
    *("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)


def environment_of_child(*more: str, **given: str) -> dict[str, str]:
    """What every program needs to run, and no secret.

    Args:
        more: Further names that are passed on, for this child.
        given: Variables that are set to these values.
    """
    names: Iterable[str] = (*_PASSED_ON, *more)
    return {name: os.environ[name] for name in names if name in os.environ} | given
