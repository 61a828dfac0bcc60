"""Alembic's folder: `versions/` holds the migrations, which `stagedoor.storage.migration` runs."""
