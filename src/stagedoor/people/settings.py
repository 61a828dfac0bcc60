"""Settings of signing in."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from stagedoor.kernel.settings import Duration, InstallationSettings

INVITATION_LIFE: Final = "7d"
"""How long an invitation works when its maker does not say."""


class SignInSettings(InstallationSettings):
    """Signing in."""

    sign_in_idle_timeout: Annotated[Duration, Field(ge=300)] = Field(
        default=1_209_600, description="Seconds without use after which a user is signed out."
    )
    sign_in_max_age: Annotated[Duration, Field(ge=300)] = Field(
        default=7_776_000, description="Seconds after a sign-in until the user has to sign in again."
    )
