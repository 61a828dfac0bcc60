"""Whether an ingress's video has layers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ingresses", sa.Column("layers", sa.String(length=10), server_default="single", nullable=False))
