"""Run by Alembic: migrate over the connection that `upgrade` hands in, in its transaction."""

from __future__ import annotations

from alembic import context

from storage import schema

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=schema.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=False,  # the caller's transaction holds it all
)
context.run_migrations()
