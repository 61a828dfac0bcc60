"""Usage: what was told of sessions, what each used by the hour, and the same for apps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "usage_told",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("disposition", sa.String(length=20), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("participant", sa.BigInteger(), nullable=False),
        sa.Column("audio_track", sa.BigInteger(), nullable=False),
        sa.Column("video_track", sa.BigInteger(), nullable=False),
        sa.Column("ingress", sa.BigInteger(), nullable=False),
        sa.Column("egress", sa.BigInteger(), nullable=False),
        sa.Column("recording", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_usage_told_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_usage_told")),
    )
    op.create_table(
        "usage_session_hours",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("participant", sa.BigInteger(), nullable=False),
        sa.Column("audio_track", sa.BigInteger(), nullable=False),
        sa.Column("video_track", sa.BigInteger(), nullable=False),
        sa.Column("ingress", sa.BigInteger(), nullable=False),
        sa.Column("egress", sa.BigInteger(), nullable=False),
        sa.Column("recording", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"], ["apps.id"], name=op.f("fk_usage_session_hours_app_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session_id", "hour", name=op.f("pk_usage_session_hours")),
    )
    op.create_index("ix_usage_session_hours_app_id", "usage_session_hours", ["app_id", "hour"])
    op.create_table(
        "usage_app_hours",
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("participant", sa.BigInteger(), nullable=False),
        sa.Column("audio_track", sa.BigInteger(), nullable=False),
        sa.Column("video_track", sa.BigInteger(), nullable=False),
        sa.Column("ingress", sa.BigInteger(), nullable=False),
        sa.Column("egress", sa.BigInteger(), nullable=False),
        sa.Column("recording", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_usage_app_hours_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("app_id", "hour", name=op.f("pk_usage_app_hours")),
    )
    op.create_table(
        "usage_egresses",
        sa.Column("egress_id", sa.String(length=128), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("recording", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_usage_egresses_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("egress_id", name=op.f("pk_usage_egresses")),
    )
    op.create_index("ix_usage_egresses_session_id", "usage_egresses", ["session_id"])
