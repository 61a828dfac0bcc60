"""Endpoints for which events wait, because as many deliveries wait as may; and finding the deliveries that wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_backlogs",
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_webhook_backlogs_app_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoints.id"],
            name=op.f("fk_webhook_backlogs_endpoint_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("app_id", "endpoint_id", name=op.f("pk_webhook_backlogs")),
    )
    op.create_index("ix_webhook_backlogs_endpoint_id", "webhook_backlogs", ["endpoint_id"])
    op.create_index(
        "ix_webhook_deliveries_pending",
        "webhook_deliveries",
        ["endpoint_id"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
