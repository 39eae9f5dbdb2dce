"""Alembic's entry: runs the migrations on the address it is given."""

from alembic import context
from sqlalchemy import create_engine, pool

from greenroom.store.tables import metadata

address = context.config.get_main_option("sqlalchemy.url")
assert address is not None
engine = create_engine(address, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
