"""Until when a pull rests whose password was refused, on every node."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ingress_states", sa.Column("finished_until", sa.BigInteger(), nullable=True))
