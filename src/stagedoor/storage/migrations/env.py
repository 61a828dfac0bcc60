"""What Alembic's own commands load while a migration is being written; the product runs `migration.upgrade`."""

from __future__ import annotations

from alembic import context

from stagedoor.storage.alembic_upgrade import configure, connect_for_development

with connect_for_development(context.get_x_argument(as_dictionary=True)) as connection:
    configure(context, connection)
    context.run_migrations()
