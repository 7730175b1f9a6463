"""What Alembic loads to run the migrations, on the connection that `sql_migrations` hands over."""

from alembic import context

from retrieval.adapters.sql_tables import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables)
context.run_migrations()
