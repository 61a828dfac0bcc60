"""Objects: files that are written once and read whole, on a disk or in the object storage of a cloud."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stagedoor.kernel.errors import StagedoorError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_SCHEMES: Final = ("file", "s3", "gs", "az", "azure", "abfs", "abfss", "memory")


class ObjectsUnavailable(StagedoorError):
    """The object storage cannot be used now."""


class Objects:
    """An object storage.

    Args:
        url: `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///folder`. Credentials come from the environment, by the
            names that the cloud's own tools use (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …).
        folder: Where objects are when there is no URL.

    Raises:
        ObjectsUnavailable: The URL is none of these, or the folder cannot be made.
    """

    def __init__(self, url: str | None, folder: Path) -> None:
        self._local = url is None or url.startswith("file:")
        self._url = url
        self._folder = folder
        if url is not None:
            _ = self._store  # a URL that is wrong is reported at the start
            return
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ObjectsUnavailable(_sentence(error)) from None

    @cached_property
    def _store(self) -> ObjectStore:
        from obstore.store import LocalStore, from_url  # most installations archive nothing

        try:
            if self._url is None:
                return LocalStore(self._folder, mkdir=True, automatic_cleanup=True)
            if self._url.split(":", 1)[0] in _SCHEMES:
                return from_url(self._url)
        except (*_failures(), ValueError) as error:
            raise ObjectsUnavailable(_sentence(error)) from None
        raise ObjectsUnavailable(f"{self._url!r} is not the URL of an object storage.")

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Write an object; one that has the key is replaced as a whole.

        Raises:
            ObjectsUnavailable: It cannot be written.
        """
        try:
            # A disk has nowhere to keep a content type, and refuses one.
            await self._store.put_async(
                key, content, attributes=None if self._local else {"Content-Type": content_type}
            )
        except _failures() as error:
            raise ObjectsUnavailable(_sentence(error)) from None

    async def delete(self, key: str) -> None:
        """Delete an object; nothing happens when there is none.

        Raises:
            ObjectsUnavailable: It cannot be deleted.
        """
        try:
            await self._store.delete_async(key)
        except FileNotFoundError:
            return
        except _failures() as error:
            raise ObjectsUnavailable(_sentence(error)) from None

    async def get(self, key: str) -> bytes | None:
        """An object's content; `None` when there is none.

        Raises:
            ObjectsUnavailable: It cannot be read.
        """
        try:
            found = await self._store.get_async(key)
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except _failures() as error:
            raise ObjectsUnavailable(_sentence(error)) from None


def _failures() -> tuple[type[Exception], ...]:
    """What an object storage raises."""
    from obstore.exceptions import BaseError

    return BaseError, OSError


def _sentence(error: Exception) -> str:
    """The first line: obstore adds the chain of causes with Rust's own debugging text."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
