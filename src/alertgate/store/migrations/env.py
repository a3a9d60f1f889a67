"""Alembic's entry point: runs the migrations in the connection and transaction that `store.schema` opened."""

from alembic import context

from alertgate.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
