"""Every feature's jobs: loaded where jobs run."""

from commerce.accounts import jobs as accounts
from commerce.jobs import events
from commerce.orders import jobs as orders

__all__ = ["accounts", "events", "orders"]
