"""A failed attempt to install LiveKit: the next one may work, so it is not yet an error for the operator."""

from __future__ import annotations


class InstallAttemptFailed(Exception):
    """Why one way of getting the binary did not work, as a clause such as `the archive is cut short`.

    Another way may still work; only `ensure_binary` decides that none did and says so in a sentence.
    """


def os_reason(error: OSError) -> str:
    """The system's message, without the path that Python adds."""
    return error.strerror or type(error).__name__
