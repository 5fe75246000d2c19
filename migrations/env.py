"""Run the migrations on the connection that `inspector.storage.database.upgrade` hands over.

That function owns the transaction, so an upgrade happens completely or not at all.
"""

from alembic import context

from inspector.storage.schema import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    # SQLite changes a table by copying it
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
