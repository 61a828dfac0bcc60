"""Where the REST contract lives."""

from typing import Final

PREFIX: Final = "/api/v1"
