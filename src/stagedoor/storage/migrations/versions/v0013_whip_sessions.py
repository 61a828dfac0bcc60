"""WHIP sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "whip_sessions",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("ingress_id", sa.String(length=40), nullable=False),
        sa.Column("publication", sa.String(length=40), nullable=False),
        sa.Column("participant_sid", sa.Text(), nullable=False),
        sa.Column("mid", sa.Text(), nullable=False),
        sa.Column("ice_ufrag", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ingress_id"], ["ingresses.id"], name=op.f("fk_whip_sessions_ingress_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_whip_sessions")),
        sa.UniqueConstraint("ingress_id", name=op.f("uq_whip_sessions_ingress_id")),
    )
