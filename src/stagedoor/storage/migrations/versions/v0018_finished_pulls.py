"""Which pulls are finished: files that were played, and streams that an operator removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ingress_states", sa.Column("finished_version", sa.BigInteger(), nullable=True))
