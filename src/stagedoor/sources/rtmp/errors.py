"""The one error of a peer that does not speak RTMP, or speaks it wrongly."""

from __future__ import annotations


class ProtocolError(Exception):
    """The peer sent what RTMP does not allow, or more than is taken; the connection ends.

    Attributes:
        code: The kind of mistake, for metrics and logs: a few fixed words.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
