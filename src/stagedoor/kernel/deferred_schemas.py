"""Importing a library that has pydantic models without making their schemas."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from pydantic import BaseModel


@contextmanager
def schemas_made_when_used() -> Generator[None]:
    """Have pydantic models that are defined meanwhile make their schemas when they are first used.

    FastAPI describes OpenAPI in thirty models, whose schemas are a third of its import and of use to nothing but the
    document. Models of other threads would do the same, which changes nothing for those who use them.
    """
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]
