"""The database, and the object storage of archives."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from stagedoor.kernel.settings import InstallationSettings


class StorageSettings(InstallationSettings):
    """The database, and the object storage of archives."""

    database_url: SecretStr | None = Field(
        default=None,
        description="postgresql://user:password@host/database; SQLite in the data folder if not set.",
    )
    objects_url: str | None = Field(
        default=None,
        description="Object storage of archives: s3://bucket/prefix, gs://…, az://… or file:///folder;"
        " `objects` in the data folder if not set.",
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(
            ("postgresql://", "postgres://", "sqlite:///")
        ):
            raise ValueError("write it as postgresql://user:password@host:5432/database")
        return value
