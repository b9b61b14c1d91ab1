"""Runs the revisions on the connection that `core.migrations` brings."""

from alembic import context

from commerce.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
context.run_migrations()
