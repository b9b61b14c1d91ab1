"""Versions of models, published as their training does."""

from datetime import datetime

import numpy as np

from commerce.recommendations.copurchase import Table
from core.inference.artifacts import Manifest, Role, Trained
from core.resources import Resources


def a_table(*ids: str) -> Table:
    """Each product goes with the next, and the last with the first."""
    ordered = sorted(ids)
    count = len(ordered)
    return Table(
        np.array([each.encode() for each in ordered], dtype=np.bytes_),
        np.arange(count + 1, dtype=np.int64),
        np.roll(np.arange(count, dtype=np.int32), -1),
        np.ones(count, dtype=np.float32),
    )


async def published(
    resources: Resources, trained_at: datetime, *ids: str, role: Role = "current", data: bytes | None = None
) -> Manifest:
    """Of recommendations. `data`: instead of a table."""
    made = data if data is not None else a_table(*(ids or ("prod_a", "prod_b"))).save()
    trained = Trained("recommendations", made, trained_at, trained_at, metrics={"products": len(ids) or 2})
    return await resources.models.artifacts.publish(trained, role=role)
