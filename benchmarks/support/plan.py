"""How much one run measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a run.

    Attributes:
        quick: A short run, to see that everything works; its figures are rough.
        folder: Where data folders and files are made; on the disk that is to be measured.
    """

    quick: bool
    folder: Path

    @property
    def rounds(self) -> int:
        """How often each variant is measured, in turns with the others; the medians count."""
        return 3 if self.quick else 5

    def scaled(self, full: int) -> int:
        """A quantity that a full run measures, or a fifth of it."""
        return full // 5 if self.quick else full
