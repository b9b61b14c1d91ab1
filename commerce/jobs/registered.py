"""Every feature's jobs: loaded where jobs run."""

from commerce.accounts import jobs as accounts
from commerce.catalog import jobs as catalog
from commerce.invariants import jobs as invariants
from commerce.jobs import events
from commerce.media import jobs as media
from commerce.orders import jobs as orders
from commerce.promotions import jobs as promotions
from commerce.recommendations import jobs as recommendations
from commerce.reports import jobs as reports
from commerce.semantics import jobs as semantics
from commerce.training import jobs as training
from commerce.upkeep import jobs as upkeep
from commerce.webhooks import jobs as webhooks

__all__ = [
    "accounts",
    "catalog",
    "events",
    "invariants",
    "media",
    "orders",
    "promotions",
    "recommendations",
    "reports",
    "semantics",
    "training",
    "upkeep",
    "webhooks",
]
