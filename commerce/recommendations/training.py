"""Trains the model of what is bought together."""

import asyncio
from collections.abc import Callable
from typing import Any

from commerce.recommendations import copurchase
from commerce.recommendations.baskets import WINDOW, read_baskets
from core.clock import Clock
from core.database import Database
from core.inference.artifacts import Trained


async def train(database: Database, clock: Clock, tell: Callable[[float], Any] = lambda _done: None) -> Trained | None:
    """None where there are too few orders to say anything. The numbers are crunched in a thread."""
    now = clock.now()
    baskets = await read_baskets(database, now)
    table = await asyncio.to_thread(copurchase.table_of, baskets, tell=tell)
    if table is None:
        return None
    return Trained(
        "recommendations",
        await asyncio.to_thread(table.save),
        trained_at=now,
        features_as_of=baskets.newest,
        metrics={
            "orders": int(baskets.orders.max(initial=-1)) + 1,
            "products": len(table.ids),
            "neighbours": len(table.columns),
        },
        parameters={
            "algorithm": "co-purchase",
            "window_days": WINDOW.days,
            "damping": copurchase.DAMPING,
            "shrinkage": copurchase.SHRINKAGE,
            "support": copurchase.SUPPORT,
        },
    )
