"""Every feature's jobs: loaded where jobs run."""

from commerce.accounts import jobs as accounts
from commerce.catalog import jobs as catalog
from commerce.jobs import events
from commerce.orders import jobs as orders
from commerce.reports import jobs as reports
from commerce.webhooks import jobs as webhooks

__all__ = ["accounts", "catalog", "events", "orders", "reports", "webhooks"]
