"""All tables of the domain, and the migrations that make them."""

from pathlib import Path

from commerce.accounts import models as accounts
from commerce.assistant import models as assistant
from commerce.audit import models as audit
from commerce.catalog import models as catalog
from commerce.feedback import models as feedback
from commerce.flags import models as flags
from commerce.limits import models as limits
from commerce.media import models as media
from commerce.operations import models as operations
from commerce.orders import models as orders
from commerce.promotions import models as promotions
from commerce.receipts import models as receipts
from commerce.recommendations import models as recommendations
from commerce.semantics import models as semantics
from commerce.shipping import models as shipping
from commerce.support import models as support
from commerce.usage import models as usage
from commerce.webhooks import models as webhooks
from core import eventlog, idempotency
from core.database import Base
from core.inference import models as inference
from core.jobs import models as jobs
from core.migrations import Migrations

__all__ = [
    "METADATA",
    "accounts",
    "assistant",
    "audit",
    "catalog",
    "eventlog",
    "feedback",
    "flags",
    "idempotency",
    "inference",
    "jobs",
    "limits",
    "media",
    "migrations",
    "operations",
    "orders",
    "promotions",
    "receipts",
    "recommendations",
    "semantics",
    "shipping",
    "support",
    "usage",
    "webhooks",
]

METADATA = Base.metadata


def migrations() -> Migrations:
    return Migrations(Path(__file__).parent / "migrations")
