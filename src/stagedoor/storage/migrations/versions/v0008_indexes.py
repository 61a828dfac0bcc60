"""Finding a lane's job that runs, a key's that was given up, and what is an app's, without looking at all the rest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_jobs_running_lane",
        "jobs",
        ["lane"],
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(
        "ix_jobs_given_up",
        "jobs",
        ["kind", "unique_key"],
        sqlite_where=sa.text("state IN ('failed', 'dead')"),
        postgresql_where=sa.text("state IN ('failed', 'dead')"),
    )
    op.create_index("ix_webhook_deliveries_app_id", "webhook_deliveries", ["app_id"])
    op.create_index("ix_usage_told_app_id", "usage_told", ["app_id"])
