"""A route of the framework that is made when it is first used.

FastAPI makes a signature and two or more pydantic schemas for each route. With more than a hundred routes that was a
fifth of a start, and most of them are not called between one start and the next.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.routing import compile_path, get_name


class DeferredRoute(APIRoute):
    """A route that knows how to be found, and makes the rest of itself when something asks for it.

    The rest is every attribute that `__init__` does not set: what handles a request, the OpenAPI document and the
    lookup of a route's scope ask for some of them. A mistake in a signature shows there, and so in every test of the
    document.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.path = path
        self.endpoint = endpoint
        self.name = options.get("name") or get_name(endpoint)
        self.methods = set(options.get("methods") or {"GET"})
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self._options: dict[str, Any] | None = options

    def __getattr__(self, name: str) -> Any:
        """Make the rest. Python calls this for an attribute that is not set yet."""
        options = self.__dict__.get("_options")
        if options is None:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        self._options = None
        with warnings.catch_warnings():
            # As FastAPI does where it makes a body's schema. Pydantic makes it later for a model that defers it.
            warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
            super().__init__(self.path, self.endpoint, **options)
            if self.body_field is not None:
                self.body_field.validate(None, {}, loc=())
        return getattr(self, name)
