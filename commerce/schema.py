"""All tables of the domain, and the migrations that make them."""

from pathlib import Path

from commerce.accounts import models as accounts
from commerce.catalog import models as catalog
from core.database import Base
from core.migrations import Migrations

__all__ = ["METADATA", "accounts", "catalog", "migrations"]

METADATA = Base.metadata


def migrations() -> Migrations:
    return Migrations(Path(__file__).parent / "migrations")
