"""Sessions ahead of their rooms, and usage: what was told of sessions, what each used by the hour, and each app."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite recreates the table; migrations run with foreign keys off there, or its participants would be deleted.
    with op.batch_alter_table("sessions") as batch:
        batch.alter_column("room_sid", existing_type=sa.String(length=64), nullable=True)
    op.create_table(
        "session_plans",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("agents", sa.Text(), nullable=False),
        sa.Column("max_duration", sa.Integer(), nullable=True),
        sa.Column("empty_timeout", sa.Integer(), nullable=True),
        sa.Column("departure_timeout", sa.Integer(), nullable=True),
        sa.Column("max_participants", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("wait_until", sa.BigInteger(), nullable=False),
        sa.Column("cleaned_at", sa.BigInteger(), nullable=True),
        sa.Column("transcript", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_session_plans_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session_plans")),
    )
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
