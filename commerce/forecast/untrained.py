"""Where no forecast is loaded, not even the yardstick: the yardstick of what was sold until yesterday."""

from collections.abc import Collection

from safetensors.numpy import save

from commerce.forecast import naive
from commerce.forecast.history import midnight, read_history
from commerce.forecast.naive import Naive
from commerce.forecast.serving import BASELINE
from core.clock import Clock
from core.database import Database
from core.inference.artifacts import Trained, manifest_of
from core.inference.serving import Loaded


async def baseline_of_orders(database: Database, clock: Clock, product_ids: Collection[str]) -> Loaded[Naive]:
    """Of these products alone; kept nowhere. Raises DatabaseUnavailable."""
    now = clock.now()
    history = await read_history(database, now, days=naive.DAYS, only=product_ids)
    model = naive.fit(history)
    manifest = manifest_of(Trained(BASELINE.name, save(model.tensors()), now, midnight(history.last_day)))
    return Loaded(manifest, model)
