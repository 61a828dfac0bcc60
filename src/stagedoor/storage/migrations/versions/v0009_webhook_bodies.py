"""The body of an outgoing message stored once for its event, and not with each of the event's deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_bodies",
        sa.Column("event_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_webhook_bodies_app_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event_seq", name=op.f("pk_webhook_bodies")),
    )
    op.execute(
        "INSERT INTO webhook_bodies (event_seq, app_id, body) SELECT event_seq, app_id, body FROM webhook_deliveries"
        " WHERE id IN (SELECT min(id) FROM webhook_deliveries GROUP BY event_seq)"
    )
    op.create_index("ix_webhook_bodies_app_id", "webhook_bodies", ["app_id"])
    # SQLite recreates the table; migrations run with foreign keys off there, or its attempts would be deleted.
    with op.batch_alter_table("webhook_deliveries") as batch:
        batch.drop_column("body")
        batch.create_foreign_key(
            op.f("fk_webhook_deliveries_event_seq"), "webhook_bodies", ["event_seq"], ["event_seq"]
        )
    op.create_index("ix_webhook_deliveries_event_seq", "webhook_deliveries", ["event_seq"])
