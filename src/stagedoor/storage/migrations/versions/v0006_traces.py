"""Traces: the context of an event's arrival, carried to what comes of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("inbox", "events"):
        op.add_column(table, sa.Column("trace", sa.String(length=64), nullable=True))
