"""Alembic's environment: migrates the database that the caller connected, with all tables known."""

import importlib

from alembic import context

from gridgov import db
from gridgov.app import TABLES

for module in TABLES:
    importlib.import_module(module)


def run() -> None:
    """Migrate over the connection the caller passed in `attributes`; there is no other way in."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=db.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


run()
