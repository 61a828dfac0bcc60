"""Ingresses and their states."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ingresses",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("livekit_room", sa.Text(), nullable=False),
        sa.Column("input_type", sa.String(length=10), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("transcoding", sa.String(length=10), nullable=False),
        sa.Column("start", sa.String(length=10), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("engine", sa.String(length=10), nullable=False),
        sa.Column("livekit_id", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("hint", sa.String(length=8), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("sealed_url", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_ingresses_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingresses")),
        sa.UniqueConstraint("livekit_id", name=op.f("uq_ingresses_livekit_id")),
        sa.UniqueConstraint("digest", name=op.f("uq_ingresses_digest")),
    )
    op.create_index("ix_ingresses_app_id", "ingresses", ["app_id", "id"])
    op.create_index("ix_ingresses_livekit_room", "ingresses", ["livekit_room", "identity"])
    op.create_table(
        "ingress_states",
        sa.Column("ingress_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("participant_sid", sa.Text(), nullable=True),
        sa.Column("video", sa.Text(), nullable=True),
        sa.Column("audio", sa.Text(), nullable=True),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("last_frame_at", sa.BigInteger(), nullable=True),
        sa.Column("node", sa.String(length=64), nullable=True),
        sa.Column("publication", sa.String(length=40), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ingress_id"], ["ingresses.id"], name=op.f("fk_ingress_states_ingress_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ingress_id", name=op.f("pk_ingress_states")),
    )
    op.create_index("ix_ingress_states_lease_until", "ingress_states", ["lease_until"])
