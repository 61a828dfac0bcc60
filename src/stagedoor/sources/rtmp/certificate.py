"""The certificate for RTMPS, read again when its files have changed: they are renewed every few weeks."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

from stagedoor.kernel.errors import CallerMistake

_log = structlog.get_logger()


class Certificate:
    """A certificate and its key in files.

    Raises:
        CallerMistake: They cannot be read, or do not belong together.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        try:
            self._changed = self._times()
            self._context = self._load()
        except (OSError, ssl.SSLError) as error:
            raise CallerMistake(
                f"The certificate for RTMPS cannot be used ({error}); see rtmp_tls_certificate and rtmp_tls_key."
            ) from None

    def context(self) -> ssl.SSLContext:
        """The context for a new connection."""
        try:
            changed = self._times()
            if changed != self._changed:
                self._context = self._load()
                self._changed = changed
        except (OSError, ssl.SSLError) as error:  # half of it is written: the one before is good until it is all there
            _log.warning("rtmps_certificate_not_read", error=str(error))
        return self._context

    def _times(self) -> tuple[int, ...]:
        return tuple(file.stat().st_mtime_ns for file in self._files)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files)
        return context
