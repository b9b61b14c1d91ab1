"""A store in memory, and artifacts over each kind of database."""

from datetime import datetime
from typing import Any

import pytest

from core.database import Database
from core.inference.artifacts import Artifacts, Trained
from core.objects.store import StoredObjects
from tests.factories.clocks import NOON, FakeClock
from tests.factories.model_files import tensors
from tests.factories.objects import objects_in_memory


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def objects() -> StoredObjects:
    return objects_in_memory()


@pytest.fixture
def artifacts(database: Database, objects: StoredObjects, clock: FakeClock) -> Artifacts:
    return Artifacts(database, objects, clock)


def trained(number: float, *, model: str = "times", at: datetime = NOON, **changes: Any) -> Trained:
    """A model whose one weight is the number."""
    return Trained(model, changes.pop("data", None) or tensors(weight=[number]), at, None, **changes)
